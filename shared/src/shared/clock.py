"""The one place that reads the time. Everything else takes a `Clock`, so that tests decide what time it is."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The instant, with a zone (UTC)."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Deadline:
    """The time that a request has left: `seconds` from now."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def left(self, at_most: float = math.inf) -> float:
        """Seconds, never negative, never more than `at_most`."""
        return max(0.0, min(at_most, self._end - self._clock.monotonic()))

    def within(self, seconds: float) -> Deadline:
        """A deadline `seconds` from now, but never later than this one."""
        return Deadline(self._clock, self.left(seconds))


def sleep_blocking(seconds: float) -> None:
    """Wait in a thread or a plain program; never inside an event loop."""
    time.sleep(seconds)
