"""Whether a store continues the newest generation or begins a new one, and which empty ones are left-overs.

A generation starts full and continues with differences, so damage in its first packs can reach all of its backups:
that is why it lives a day, and why a damaged one is never continued.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from .inventory import Generation


@dataclass(frozen=True)
class Limits:
    """`orphan_after`: how long a generation without any manifest is taken for a store that may still be under way."""

    max_age: timedelta = timedelta(days=1)
    least_referenced: float = 0.5
    orphan_after: timedelta = timedelta(hours=24)


@dataclass(frozen=True)
class Standing:
    """The newest generation as a store finds it. `referenced_bytes` of `pack_bytes` belong to chunks that a backup
    which still exists, or the new one, needs."""

    name: str
    started_at: datetime
    referenced_bytes: int
    pack_bytes: int
    damaged: bool = False
    cleared: bool = False
    readable: bool = True
    same_key: bool = True


@dataclass(frozen=True)
class Choice:
    """`name` is None when a new generation begins; `reason` says why."""

    name: str | None
    reason: str


def choose(newest: Standing | None, limits: Limits, now: datetime) -> Choice:
    if newest is None:
        return Choice(None, "first")
    for wrong, reason in (
        (newest.damaged, "damage was found in the last one"),
        (not newest.readable, "no manifest of the last one can be read"),
        (newest.cleared, "the session was cleared"),
        (not newest.same_key, "a new data key"),
        (abs(now - newest.started_at) >= limits.max_age, "a new day"),
        (newest.referenced_bytes < limits.least_referenced * newest.pack_bytes, "half of it is not referenced"),
    ):
        if wrong:
            return Choice(None, reason)
    return Choice(newest.name, "continued")


def is_left_over(generation: Generation, limits: Limits, now: datetime) -> bool:
    """True for what a failed store left behind: no manifest, and nothing written for a long time."""
    return not generation.backups and now - generation.modified_at > limits.orphan_after
