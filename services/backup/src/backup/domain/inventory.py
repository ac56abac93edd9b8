"""What a session has in the bucket, read from one listing and nothing else.

Knows how names make generations, backups, packs and proofs. It must not know what is inside an object. The trap: the
listing is the only truth about what exists; a backup exists when its manifest is listed, whatever else is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from . import layout


@dataclass(frozen=True)
class Listed:
    """One object of a listing; `bytes` is its size, `etag` changes with its content."""

    key: str
    bytes: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True)
class BackupRef:
    """A backup as the listing shows it."""

    name: layout.BackupName
    generation: str
    manifest: Listed
    proofs: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        return str(self.name)


@dataclass
class Generation:
    """Everything under one generation. `packs`: name → bytes."""

    name: str
    started_at: datetime
    backups: list[BackupRef] = field(default_factory=list)
    packs: dict[str, int] = field(default_factory=dict)
    objects: list[Listed] = field(default_factory=list)
    damaged: Listed | None = None

    @property
    def modified_at(self) -> datetime:
        """When the newest object in it was written."""
        return max((item.modified_at for item in self.objects), default=self.started_at)

    @property
    def pack_bytes(self) -> int:
        return sum(self.packs.values())


@dataclass(frozen=True)
class Inventory:
    """`backups` newest first: by epoch, then sequence."""

    session: str
    generations: dict[str, Generation]
    keys: dict[str, Listed]
    head: Listed | None = None
    tombstone: Listed | None = None
    bytes: int = 0

    @property
    def backups(self) -> list[BackupRef]:
        refs = [ref for generation in self.generations.values() for ref in generation.backups]
        return sorted(refs, key=lambda ref: (ref.name, ref.generation), reverse=True)

    def find(self, backup: str) -> list[BackupRef]:
        """The manifests of this id: one, or none, or two when replicas stored one snapshot at once."""
        return [ref for ref in self.backups if ref.id == backup]

    @property
    def highest_epoch(self) -> int:
        return max((ref.name.epoch for ref in self.backups), default=0)

    @property
    def next_sequence(self) -> int:
        return max((ref.name.sequence for ref in self.backups), default=0) + 1


def take_stock(session: str, objects: Iterable[Listed]) -> Inventory:
    """Sort a listing of the session's prefix into an inventory; foreign names are passed over."""
    prefix = layout.session_prefix(session)
    generations: dict[str, Generation] = {}
    keys: dict[str, Listed] = {}
    single: dict[str, Listed] = {}
    proofs: dict[tuple[str, str], set[str]] = {}
    total = 0
    for item in objects:
        total += item.bytes
        match item.key.removeprefix(prefix).split("/"):
            case ["head.json" | "tombstone.json" as name]:
                single[name] = item
            case ["keys", name]:
                keys[name] = item
            case [generation, *rest]:
                _sort_in(generations, proofs, generation, rest, item)
    for found in generations.values():
        found.backups = [
            BackupRef(ref.name, ref.generation, ref.manifest, frozenset(proofs.get((ref.generation, ref.id), ())))
            for ref in found.backups
        ]
    return Inventory(session, generations, keys, single.get("head.json"), single.get("tombstone.json"), total)


def _sort_in(
    generations: dict[str, Generation],
    proofs: dict[tuple[str, str], set[str]],
    name: str,
    rest: list[str],
    item: Listed,
) -> None:
    try:
        started_at = layout.generation_start(name)
    except layout.BadName:
        return
    generation = generations.setdefault(name, Generation(name, started_at))
    generation.objects.append(item)
    match rest:
        case ["packs", pack]:
            generation.packs[pack] = item.bytes
        case ["manifests", backup]:
            _add_backup(generation, backup, item)
        case ["proofs", proof]:
            backup, _, state = proof.rpartition(".")
            proofs.setdefault((name, backup), set()).add(state)
        case ["damaged"]:
            generation.damaged = item


def _add_backup(generation: Generation, text: str, item: Listed) -> None:
    try:
        name = layout.BackupName.read(text)
    except layout.BadName:
        return
    generation.backups.append(BackupRef(name, generation.name, item))
