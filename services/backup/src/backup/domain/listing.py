"""What a session has in the bucket, read from one listing of its keys and from nothing else.

The module knows how names make generations, backups, packs and proofs, and knows nothing of what the objects hold. The
listing is the only truth about what exists: a backup exists when its manifest is listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from . import layout
from .layout import ObjectKey, ObjectKind


@dataclass(frozen=True)
class ListedObject:
    """One object of a listing. `bytes` is its size; `etag` changes with its content."""

    key: str
    bytes: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True)
class BackupRef:
    """A backup as the listing shows it. Anybody who can write to the bucket can plant a name: what the name says counts
    only when the manifest opens there. `proofs` are the states that proofs claim for it."""

    name: layout.BackupName
    generation: str
    manifest: ListedObject
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
    objects: list[ListedObject] = field(default_factory=list)
    corruption_marker: ListedObject | None = None

    @property
    def modified_at(self) -> datetime:
        """When the newest object of the generation was written."""
        return max((item.modified_at for item in self.objects), default=self.started_at)

    @property
    def pack_bytes(self) -> int:
        return sum(self.packs.values())


@dataclass
class SessionObjects:
    """The objects of a session, sorted by kind. `bytes` is the size of everything under the session's prefix."""

    session: str
    generations: dict[str, Generation] = field(default_factory=dict)
    keys: dict[str, ListedObject] = field(default_factory=dict)
    tombstone: ListedObject | None = None
    bytes: int = 0

    @property
    def backups(self) -> list[BackupRef]:
        """Newest first: by epoch, then by sequence."""
        refs = [ref for generation in self.generations.values() for ref in generation.backups]
        return sorted(refs, key=lambda ref: (ref.name, ref.generation), reverse=True)

    def find(self, backup: str) -> list[BackupRef]:
        """The manifests with this id: one, or none, or two when replicas stored one snapshot at once."""
        return [ref for ref in self.backups if ref.id == backup]


def parse_listing(session: str, objects: Iterable[ListedObject]) -> SessionObjects:
    """Sort a listing of the session's prefix by kind; names of others are passed over."""
    parsed = SessionObjects(session)
    proofs: dict[tuple[str, str], set[str]] = {}
    for item in objects:
        parsed.bytes += item.bytes
        key = layout.parse_key(item.key)
        if key is not None:
            _add(parsed, proofs, key, item)
    for generation in parsed.generations.values():
        generation.backups = [
            replace(ref, proofs=frozenset(proofs.get((generation.name, ref.id), ()))) for ref in generation.backups
        ]
    return parsed


def _add(parsed: SessionObjects, proofs: dict[tuple[str, str], set[str]], key: ObjectKey, item: ListedObject) -> None:
    match key.kind:
        case ObjectKind.HEAD:
            return  # the epoch store reads the head itself
        case ObjectKind.TOMBSTONE:
            parsed.tombstone = item
        case ObjectKind.DATA_KEY:
            parsed.keys[key.name] = item
        case ObjectKind.PACK:
            _generation(parsed, key, item).packs[key.name] = item.bytes
        case ObjectKind.MANIFEST:
            _add_backup(_generation(parsed, key, item), key.name, item)
        case ObjectKind.PROOF:
            _generation(parsed, key, item)
            backup, state = layout.proof_of(key.name)
            proofs.setdefault((key.generation, backup), set()).add(state)
        case ObjectKind.CORRUPTION_MARKER:
            _generation(parsed, key, item).corruption_marker = item
        case ObjectKind.UNKNOWN:
            _generation(parsed, key, item)
        case _:
            assert_never(key.kind)


def _generation(parsed: SessionObjects, key: ObjectKey, item: ListedObject) -> Generation:
    """The generation of the key, with the object noted in it."""
    generation = parsed.generations.setdefault(
        key.generation, Generation(key.generation, layout.generation_start(key.generation))
    )
    generation.objects.append(item)
    return generation


def _add_backup(generation: Generation, text: str, item: ListedObject) -> None:
    try:
        name = layout.BackupName.read(text)
    except layout.BadName:
        return
    generation.backups.append(BackupRef(name, generation.name, item))
