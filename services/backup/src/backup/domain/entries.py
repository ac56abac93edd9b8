"""The state of each backup of a session: the table that decides what is good, bad, cleared or foreign.

An adapter collects the evidence (what the listing shows, whether the manifest opens, what a corruption marker names);
`state_of` turns evidence into a state, and the first rule that fits decides. Only a good backup is restored, compared
with or built upon; retention treats every state in its own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.backups import BackupState

from .control_records import TombstoneRecord
from .listing import BackupRef, SessionObjects


@dataclass(frozen=True)
class Summary:
    """What listings and new backups need of a manifest, small enough to remember for all backups."""

    snapshot: str
    taken_at: datetime
    browser_version: str
    content: str
    bytes: int
    key: str
    packs: Mapping[str, int]


@dataclass(frozen=True)
class Evidence:
    """What an adapter found out about one backup. `summary` is None when the manifest does not open, and `foreign` then
    says that its key is wrapped by another master key. `damaged_chunks` are the chunks that both the manifest and the
    generation's corruption marker name, None when the manifest could not be read for them."""

    ref: BackupRef
    summary: Summary | None
    foreign: bool = False
    damaged_chunks: frozenset[str] | None = frozenset()


@dataclass(frozen=True)
class Entry:
    """One backup with its state. `summary` is None when its manifest does not open; its name then proves nothing."""

    ref: BackupRef
    state: BackupState
    summary: Summary | None

    @property
    def good(self) -> bool:
        return self.state.restorable


@dataclass(frozen=True)
class Listing:
    """All backups of a session, in the order of their names, newest first, in every state. `damaged` are the
    generations in which damage was found; `tombstone` is None when there is none or when it was rejected."""

    objects: SessionObjects
    entries: tuple[Entry, ...]
    tombstone: TombstoneRecord | None = None
    tombstone_rejected: bool = False
    damaged: frozenset[str] = frozenset()
    all_foreign: bool = False
    """No backup opens, and some were made with another master key."""

    @property
    def session(self) -> str:
        return self.objects.session

    @property
    def tombstoned_at(self) -> datetime | None:
        return self.tombstone.tombstoned_at if self.tombstone else None

    @property
    def newest(self) -> Entry | None:
        """The newest backup that opens: planted names come before it and mean nothing."""
        return next((entry for entry in self.entries if entry.summary is not None), None)

    @property
    def highest_epoch(self) -> int:
        """0 when no backup opens."""
        return self.newest.ref.name.epoch if self.newest else 0

    @property
    def next_sequence(self) -> int:
        return max((entry.ref.name.sequence for entry in self.entries if entry.summary is not None), default=0) + 1

    def each_backup(self) -> list[Entry]:
        """One entry for each id. Replicas that stored one snapshot at once made one backup in two generations; the good
        copy counts."""
        found: dict[str, Entry] = {}
        for entry in self.entries:
            present = found.get(entry.ref.id)
            if present is None or (entry.good and not present.good):
                found[entry.ref.id] = entry
        return list(found.values())

    def with_snapshot(self, snapshot: str) -> Entry | None:
        """The good backup of this snapshot."""
        for entry in self.entries:
            if entry.good and entry.summary is not None and entry.summary.snapshot == snapshot:
                return entry
        return None

    def newest_with_content(self, content: str) -> Entry | None:
        """The newest backup, when it is good, holds exactly this content and lies in a generation without damage."""
        newest = self.newest
        if newest is None or not newest.good or newest.summary is None or newest.ref.generation in self.damaged:
            return None
        return newest if newest.summary.content == content else None

    def readable_under(self, generation: str, key: str) -> list[Entry]:
        """The backups of a generation whose chunks this data key opens."""
        return [
            entry
            for entry in self.entries
            if entry.ref.generation == generation and entry.summary is not None and entry.summary.key == key
        ]


def make_listing(
    objects: SessionObjects,
    evidence: Sequence[Evidence],
    *,
    tombstone: TombstoneRecord | None,
    tombstone_rejected: bool = False,
) -> Listing:
    """`evidence`: one for each of `objects.backups`, in that order."""
    entries = tuple(Entry(each.ref, state_of(each, objects, tombstone), each.summary) for each in evidence)
    damaged = {entry.ref.generation for entry in entries if entry.state is BackupState.BAD}
    damaged |= {generation.name for generation in objects.generations.values() if generation.corruption_marker}
    return Listing(objects, entries, tombstone, tombstone_rejected, frozenset(damaged), all_foreign(evidence))


def state_of(evidence: Evidence, objects: SessionObjects, tombstone: TombstoneRecord | None) -> BackupState:
    ref = evidence.ref
    if tombstone is not None and ref.name.epoch <= tombstone.epoch:
        return BackupState.CLEARED
    if evidence.foreign:
        return BackupState.FOREIGN
    if evidence.summary is None or not _packs_are_there(evidence.summary, objects, ref.generation):
        return BackupState.BAD
    if evidence.damaged_chunks is None or evidence.damaged_chunks:
        return BackupState.BAD
    for proven in (BackupState.DRILLED, BackupState.SCRUBBED):
        if proven in ref.proofs:
            return proven
    return BackupState.STORED


def _packs_are_there(summary: Summary, objects: SessionObjects, generation: str) -> bool:
    present = objects.generations[generation].packs
    return all(present.get(name) == size for name, size in summary.packs.items())


def all_foreign(evidence: Iterable[Evidence]) -> bool:
    """True when no backup opens and some were made with another master key: that is a wrong setting of this service and
    not damage, and nothing is known of the backups then. False without backups."""
    found = list(evidence)
    return any(each.foreign for each in found) and all(each.summary is None for each in found)
