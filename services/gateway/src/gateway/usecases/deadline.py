"""The time that a request has left."""

from __future__ import annotations

from shared.clock import Clock
from shared.contracts.budgets import ANSWER_SECONDS


class Deadline:
    """Counts from the first line of a request. `seconds`: the whole time that its answer may take."""

    def __init__(self, clock: Clock, seconds: float = ANSWER_SECONDS) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def left(self, at_most: float = ANSWER_SECONDS) -> float:
        """Seconds, never negative, never more than `at_most`."""
        return max(0.0, min(at_most, self._end - self._clock.monotonic()))

    def within(self, seconds: float) -> Deadline:
        """A deadline `seconds` from now, but never later than this one."""
        return Deadline(self._clock, self.left(seconds))
