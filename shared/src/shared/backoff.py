"""How long to wait before the next attempt: the one definition of exponential back-off with a cap and jitter.

The delay doubles from attempt to attempt up to the cap. Jitter shortens a delay by up to a half, so that clients which
fail together do not come back together, and none waits less than half the delay ("equal jitter":
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter). The module is pure: callers pass the
random number and sleep on their own clock, because each of them also wakes for an event.
"""

from __future__ import annotations

from dataclasses import dataclass

_MAX_DOUBLINGS = 64
"""Keeps the power finite; every cap is reached long before."""


@dataclass(frozen=True)
class Backoff:
    """`first` and `longest` in seconds."""

    first: float
    longest: float

    def delay(self, attempt: int, jitter: float = 1.0) -> float:
        """Seconds before attempt 1, 2, … `jitter` is uniform in 0..1; 1 gives the whole delay."""
        whole = min(self.longest, self.first * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
        return whole * (0.5 + jitter / 2)
