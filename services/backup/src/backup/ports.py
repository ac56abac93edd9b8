"""What storing, restoring and upkeep need from the world, by need and not by technique. Adapters fulfil these.

Every method that reaches the store raises `Unavailable` when the store cannot be asked: unknown is never absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.contracts.backups import Stored

from .domain.epochs import Grave
from .domain.inventory import BackupRef, Inventory, Listed
from .domain.manifests import StoredManifest
from .domain.packs import ChunkSpot, ClosedPack


class Taken(Exception):
    """A conditional write found another object there (or the object changed): read it and decide."""


@dataclass(frozen=True)
class Blob:
    data: bytes
    etag: str


class ObjectStore(Protocol):
    """Objects by key. Any error except a proper "no such key" is Unavailable."""

    @property
    def conditional(self) -> bool:
        """False when the store was found to ignore conditional writes."""
        ...

    async def prepare(self) -> None:
        """Find the bucket, or make it, and test conditional writes."""
        ...

    async def probe(self) -> None:
        """One cheap question."""
        ...

    async def read(self, key: str, *, start: int = 0, length: int | None = None) -> Blob | None:
        """None when there is no such object. A range beyond the end gives what there is, perhaps nothing."""
        ...

    async def write(self, key: str, data: bytes) -> None: ...
    async def create(self, key: str, data: bytes) -> None:
        """Raises Taken when the key exists."""
        ...

    async def replace(self, key: str, data: bytes, etag: str) -> None:
        """Raises Taken when the object is no longer the one with this ETag."""
        ...

    async def listing(self, prefix: str) -> list[Listed]: ...
    async def folders(self, prefix: str) -> list[str]:
        """The names of the next level under `prefix`, without slashes."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """In this order; those already gone are passed over."""
        ...


class SnapshotReader(Protocol):
    """Chunks of a snapshot on offer, from its owner."""

    async def chunk(self, session: str, snapshot: str, sha256: str) -> bytes:
        """Verified against its name. Raises errors of shared.contracts.errors."""
        ...


@dataclass(frozen=True)
class DataKey:
    """A session's data key; `secret` never leaves the process unwrapped and is not shown."""

    name: str
    secret: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.name})"


@dataclass(frozen=True)
class Summary:
    """What lists and stores need from a manifest, small enough to keep for all backups."""

    snapshot: str
    taken_at: datetime
    browser_version: str
    content: str
    bytes: int
    key: str
    packs: Mapping[str, int]


@dataclass(frozen=True)
class Shelved:
    """A backup with its state: stored, scrubbed, drilled, bad or cleared. `summary` is None when it cannot be read."""

    ref: BackupRef
    state: str
    summary: Summary | None

    @property
    def good(self) -> bool:
        return self.state not in ("bad", "cleared")


@dataclass(frozen=True)
class Catalogue:
    """All backups of a session, newest first, in every state. `damaged`: generations in which damage was found."""

    inventory: Inventory
    backups: tuple[Shelved, ...]
    grave: Grave | None = None
    grave_damaged: bool = False
    damaged: frozenset[str] = frozenset()


class EpochGuard(Protocol):
    """The anchored epoch and the tombstone of each session."""

    async def claim(self, session: str, *, owner: str, nonce: str, at_least: int) -> int: ...
    async def admit(self, session: str, epoch: int) -> None:
        """Raises Fenced unless `epoch` is the head's and is above the tombstone's."""
        ...

    async def bury(self, session: str, epoch: int) -> Grave:
        """Write the tombstone; one for a higher epoch that is there already stays."""
        ...


class Shelf(Protocol):
    """Backups of sessions: packs, manifests, proofs."""

    async def sessions(self) -> list[str]: ...
    async def catalogue(self, session: str) -> Catalogue: ...
    async def manifest(self, session: str, backup: str) -> StoredManifest:
        """Raises NotFound, with the code "damaged" when it is there but cannot be read."""
        ...

    async def chunk(self, session: str, backup: str, sha256: str) -> bytes:
        """Verified. Raises NotFound, with the code "damaged" when it cannot be read; the generation is then marked."""
        ...

    async def known_chunks(self, catalogue: Catalogue, generation: str, key: DataKey) -> dict[str, ChunkSpot]:
        """Chunks that lie in the generation under this key and are not known to be damaged."""
        ...

    async def data_key(self, catalogue: Catalogue) -> DataKey:
        """The session's present key; made when there is none."""
        ...

    async def seal(self, session: str, key: DataKey, sha256: str, chunk: bytes) -> tuple[bytes, bool]:
        """The record of a chunk, and whether it is compressed."""
        ...

    async def write_pack(self, session: str, generation: str, key: DataKey, pack: ClosedPack, *, scrub: bool) -> None:
        """Durable when it returns; with `scrub` read back and opened, too."""
        ...

    async def write_manifest(self, key: DataKey, manifest: StoredManifest) -> None:
        """Raises Taken when a backup of this name exists in the generation."""
        ...

    async def prove(self, session: str, generation: str, backup: str, state: str) -> None:
        """Record that a backup was found to be `state`."""
        ...

    async def read_back(self, manifest: StoredManifest) -> None:
        """Raises Unavailable when the stored manifest does not read as `manifest`."""
        ...

    async def forget(self, refs: Sequence[BackupRef]) -> None:
        """Remove backups: their manifests, then their proofs. Their packs go with the generation."""
        ...

    async def drop_generation(self, session: str, generation: str) -> bool:
        """Remove everything under it, unless a manifest is there after all. True when it is gone."""
        ...

    async def drop_keys(self, session: str, names: Sequence[str]) -> None: ...


class Reports(Protocol):
    """What operators and other services learn. Never raises."""

    async def stored(self, session: str, epoch: int, stored: Stored, *, bytes: int, seconds: float) -> None: ...
    async def failed(self, session: str, epoch: int, code: str) -> None: ...
    def served(self, bytes: int) -> None:
        """Bytes of chunks given out for a restore."""
        ...

    def damage_found(self, backups: int) -> None:
        """How many backups are bad now, over all sessions."""
        ...

    def removed(self, backups: int, generations: int) -> None: ...
    def store_is(self, *, up: bool, conditional: bool) -> None: ...
