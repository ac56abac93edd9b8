"""How bad a finding is. UNKNOWN is a level of its own: what is not known is neither good nor bad, never an alarm."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from shared.contracts.health import Overall


class Level(StrEnum):
    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """-1 unknown, 0 healthy, 1 warning, 2 critical; the value of the metric too."""
        return _RANKS[self]

    @property
    def bad(self) -> bool:
        return self.rank > 0


_RANKS = {Level.UNKNOWN: -1, Level.HEALTHY: 0, Level.WARNING: 1, Level.CRITICAL: 2}


def overall(levels: Iterable[Level]) -> Overall:
    """The worst level; unknown weighs nothing."""
    worst = max((level.rank for level in levels), default=0)
    return (Overall.HEALTHY, Overall.WARNING, Overall.CRITICAL)[max(worst, 0)]


def graded(value: float, warning: float, critical: float) -> Level:
    """Level of a figure that is worse the larger it is; a figure equal to a limit is still below it."""
    if value > critical:
        return Level.CRITICAL
    return Level.WARNING if value > warning else Level.HEALTHY
