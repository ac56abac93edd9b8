"""What one check finds, and what a check is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from .case import Case
from .levels import Level
from .localized_text import LocalizedText
from .thresholds import Thresholds


@dataclass(frozen=True)
class Finding:
    """`key` tells the problems of one check apart; `began`: since when, where the check itself can tell."""

    level: Level
    value: str = ""
    limit: str = ""
    key: str = ""
    text: LocalizedText | None = None
    """What is wrong; always there when the level is bad."""
    began: datetime | None = None


def healthy(value: str = "", limit: str = "") -> Finding:
    return Finding(Level.HEALTHY, value, limit)


def unknown(value: str) -> Finding:
    """Not judged; `value` says why."""
    return Finding(Level.UNKNOWN, value)


@dataclass(frozen=True)
class Check:
    """One row of the table. `critical_at_rest`: may be critical also for a session that nobody wants running."""

    code: str
    title: LocalizedText
    meaning: LocalizedText
    remedy: LocalizedText
    limits: Callable[[Thresholds], str]
    examine: Callable[[Case], Finding]
    critical_at_rest: bool = False
