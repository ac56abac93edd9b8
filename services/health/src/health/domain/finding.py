"""What a check is, and what it finds.

The codes, problems and checks themselves are constants of the modules in `checks/`. Rules ask for a problem by its
constant and never by a text, so a rule cannot wait for a problem that no check knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from .case import Case
from .levels import Level
from .localized_text import LocalizedText
from .thresholds import Thresholds

CheckCode = NewType("CheckCode", str)
"""Stable: dashboards, the gateway and people name a check by its code."""


@dataclass(frozen=True)
class Problem:
    """What can be wrong. Each problem belongs to one check, and is a constant of that check's module."""

    id: str
    """Unique among all problems. Two problems are equal when their ids are."""
    text: LocalizedText = field(compare=False)
    """The issue in a sentence for people. May hold placeholders, which `fill` replaces."""

    def fill(self, **values: LocalizedText | str | int) -> Problem:
        return Problem(self.id, self.text.fill(**values))


@dataclass(frozen=True)
class Finding:
    level: Level
    value: str = ""
    limit: str = ""
    problem: Problem | None = None
    """Present exactly where the level is bad."""
    began: datetime | None = None
    """Since when the problem stands, where the check itself can tell."""


def healthy(value: str = "", limit: str = "") -> Finding:
    return Finding(Level.HEALTHY, value, limit)


def unknown(value: str) -> Finding:
    """Not judged; `value` says why."""
    return Finding(Level.UNKNOWN, value)


@dataclass(frozen=True)
class Check:
    """One row of the table of checks."""

    code: CheckCode
    title: LocalizedText
    meaning: LocalizedText
    remedy: LocalizedText
    limits: Callable[[Thresholds], str]
    """The check's limits in a sentence for people."""
    examine: Callable[[Case], Finding]
    critical_at_rest: bool = False
    """Whether the check may be critical for a session that is not meant to run."""
