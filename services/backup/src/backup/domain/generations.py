"""Whether a backup continues the newest generation or begins a new one, and which generations are orphans.

A generation starts full and continues with differences, so damage in its first packs can reach all of its backups.
A generation therefore lives for one day only, and a damaged one is never continued.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .listing import Generation


@dataclass(frozen=True)
class GenerationPolicy:
    """`least_referenced` is the share of a generation's pack bytes that backups must still need; `orphan_after` is how
    long a generation without a manifest counts as a backup that is still being written."""

    max_age: timedelta = timedelta(days=1)
    least_referenced: float = 0.5
    orphan_after: timedelta = timedelta(hours=24)


@dataclass(frozen=True)
class NewestGeneration:
    """The newest generation as a new backup finds it. `referenced_bytes` of `pack_bytes` belong to chunks that an
    existing backup needs. `cleared` and `same_key` describe its newest backup that opens."""

    name: str
    started_at: datetime
    referenced_bytes: int
    pack_bytes: int
    damaged: bool = False
    cleared: bool = False
    same_key: bool = True


class GenerationReason(StrEnum):
    """Why a backup continues the newest generation or begins a new one."""

    CONTINUED = "continued"
    FIRST = "first"
    DAMAGED = "damaged"
    CLEARED = "cleared"
    NEW_KEY = "new_key"
    TOO_OLD = "too_old"
    MOSTLY_UNREFERENCED = "mostly_unreferenced"


@dataclass(frozen=True)
class Choice:
    """`name` is None when a new generation begins."""

    name: str | None
    reason: GenerationReason


def choose(newest: NewestGeneration | None, policy: GenerationPolicy, now: datetime) -> Choice:
    if newest is None:
        return Choice(None, GenerationReason.FIRST)
    for hinders, reason in (
        (newest.damaged, GenerationReason.DAMAGED),
        (newest.cleared, GenerationReason.CLEARED),
        (not newest.same_key, GenerationReason.NEW_KEY),
        (abs(now - newest.started_at) >= policy.max_age, GenerationReason.TOO_OLD),
        (newest.referenced_bytes < policy.least_referenced * newest.pack_bytes, GenerationReason.MOSTLY_UNREFERENCED),
    ):
        if hinders:
            return Choice(None, reason)
    return Choice(newest.name, GenerationReason.CONTINUED)


def is_orphan(generation: Generation, policy: GenerationPolicy, now: datetime) -> bool:
    """True for packs that a failed backup left: there is no manifest, and nothing was written for a long time. Both the
    generation's name and the store's clock must say so: one wrong clock must not end a backup that is being written."""
    youngest = max(generation.started_at, generation.modified_at)
    return not generation.backups and now - youngest > policy.orphan_after
