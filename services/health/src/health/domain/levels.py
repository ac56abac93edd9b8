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
        """-1 unknown, 0 healthy, 1 warning, 2 critical. Also the value of the metric HEALTH_CHECK_LEVEL."""
        match self:
            case Level.UNKNOWN:
                return -1
            case Level.HEALTHY:
                return 0
            case Level.WARNING:
                return 1
            case Level.CRITICAL:
                return 2

    @property
    def bad(self) -> bool:
        return self.rank > 0


def overall(levels: Iterable[Level]) -> Overall:
    """The worst level. Unknown weighs nothing."""
    worst = max(levels, key=lambda level: level.rank, default=Level.HEALTHY)
    match worst:
        case Level.UNKNOWN | Level.HEALTHY:
            return Overall.HEALTHY
        case Level.WARNING:
            return Overall.WARNING
        case Level.CRITICAL:
            return Overall.CRITICAL


def graded(value: float, warning: float, critical: float) -> Level:
    """Level of a figure that is worse the larger it is. A figure equal to a limit is within it."""
    if value > critical:
        return Level.CRITICAL
    return Level.WARNING if value > warning else Level.HEALTHY
