"""What the handlers and the runner need from the world, named by need and not by technique. Adapters fulfil these.

Every method that reaches the object store raises `Unavailable` when the store cannot be asked: unknown is never absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.backups import BackupState, FailureCode, RecordFault, Stored
from shared.contracts.errors import Unavailable

from .domain.control_records import TombstoneRecord
from .domain.entries import Listing
from .domain.listing import BackupRef, ListedObject
from .domain.manifests import StoredManifest
from .domain.packs import ChunkLocation, ClosedPack


class Taken(Exception):
    """A conditional write was refused: the key exists, or its object changed. Read the object and decide again."""


@dataclass(frozen=True)
class Blob:
    """An object as it was read; `etag` changes with its content."""

    data: bytes
    etag: str


def wrong_master_key() -> Unavailable:
    return Unavailable(
        "the backups were made with another master key",
        hint="give the old one as MASTER_KEY_PREVIOUS",
        code=FailureCode.WRONG_MASTER_KEY,
    )


class ObjectStore(Protocol):
    """Objects by key. Every error except a proper "no such key" is Unavailable."""

    @property
    def conditional(self) -> bool:
        """False when the store was found to ignore conditional writes."""
        ...

    async def prepare(self) -> None:
        """Find the bucket or make it, and test conditional writes."""
        ...

    async def probe(self) -> None:
        """One cheap question, to learn whether the store answers."""
        ...

    async def read(self, key: str, *, start: int = 0, length: int | None = None) -> Blob | None:
        """None when there is no such object. A range past the end gives the bytes that exist, perhaps none."""
        ...

    async def write(self, key: str, data: bytes) -> None: ...
    async def create(self, key: str, data: bytes) -> None:
        """Raises Taken when the key exists."""
        ...

    async def replace(self, key: str, data: bytes, etag: str) -> None:
        """Raises Taken when the object no longer has this ETag."""
        ...

    async def list_objects(self, prefix: str) -> list[ListedObject]: ...
    async def folders(self, prefix: str) -> list[str]:
        """The names of the next level under `prefix`, without slashes."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """In this order; keys that are gone already are passed over."""
        ...


class SnapshotReader(Protocol):
    """Chunks of a snapshot on offer, from its owner."""

    async def chunk(self, session: str, snapshot: str, sha256: str) -> bytes:
        """Verified against its name. Raises errors of shared.contracts.errors."""
        ...


@dataclass(frozen=True)
class DataKey:
    """A session's data key. `secret` never leaves the process unwrapped and does not show in `repr`."""

    name: str
    secret: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.name})"


class EpochStore(Protocol):
    """The anchored epoch and the tombstone of each session; `domain.epochs` explains them."""

    async def claim(self, session: str, *, owner: str, nonce: str, at_least: int) -> int:
        """The epoch that the claimant may write with from now on, not below `at_least`."""
        ...

    async def admit(self, session: str, epoch: int) -> None:
        """Raises Fenced unless `epoch` is the head's and is above the tombstone's."""
        ...

    async def write_tombstone(self, session: str, epoch: int) -> TombstoneRecord:
        """A tombstone for a higher epoch that exists already stays, and is the answer. One that does not verify is
        replaced."""
        ...

    async def sign_anew(self, session: str) -> None:
        """Sign the session's records with the present master key, where a previous one has signed them."""
        ...


class Repository(Protocol):
    """All backups of all sessions in the object store: packs, manifests, proofs and keys."""

    async def sessions(self) -> list[str]: ...
    async def list_backups(self, session: str) -> Listing:
        """One look at the session: what it shows is compared with the look before, and losses are reported."""
        ...

    async def manifest(self, session: str, backup: str) -> StoredManifest:
        """Raises NotFound, with the code "damaged" when the manifest exists but cannot be read."""
        ...

    async def chunk(self, session: str, backup: str, sha256: str) -> bytes:
        """Verified. Raises NotFound, with the code "damaged" when the chunk exists but cannot be read; the generation
        then gets a corruption marker."""
        ...

    async def known_chunks(self, listing: Listing, generation: str, key: DataKey) -> dict[str, ChunkLocation]:
        """Chunks that lie in the generation under this key and are not known to be damaged."""
        ...

    async def data_key(self, listing: Listing) -> DataKey:
        """The session's present key; a new one when there is none."""
        ...

    async def rewrap_keys(self, listing: Listing) -> None:
        """Wrap the session's keys by the present master key, where a previous one wraps them."""
        ...

    async def encrypt_chunk(self, session: str, key: DataKey, sha256: str, chunk: bytes) -> tuple[bytes, bool]:
        """The record of a chunk, and whether the chunk was compressed."""
        ...

    async def write_pack(self, session: str, generation: str, key: DataKey, pack: ClosedPack, *, scrub: bool) -> None:
        """Durable when it returns; with `scrub` the pack was also read back and decrypted."""
        ...

    async def write_manifest(self, key: DataKey, manifest: StoredManifest) -> None:
        """Raises Taken when a backup of this name exists in the generation."""
        ...

    async def write_proof(self, session: str, generation: str, backup: str, state: BackupState) -> None:
        """Record that a backup was found to be `state`."""
        ...

    async def verify_manifest(self, manifest: StoredManifest) -> None:
        """Raises Unavailable when the stored manifest does not read back as `manifest`."""
        ...

    async def remove_backups(self, session: str, refs: Sequence[BackupRef]) -> None:
        """Remove their manifests, then their proofs. Their packs go with the generation."""
        ...

    async def remove_generation(self, session: str, generation: str) -> bool:
        """Remove everything under the generation, unless it holds a manifest after all. True when it is gone."""
        ...

    async def remove_keys(self, session: str, names: Sequence[str]) -> None: ...


class Reports(Protocol):
    """What operators and other services learn. Never raises."""

    async def stored(self, session: str, epoch: int, stored: Stored, *, bytes: int, seconds: float) -> None: ...
    async def failed(self, session: str, epoch: int, code: str) -> None: ...
    async def lost(self, session: str, backups: int, left: int) -> None:
        """So many good backups went without retention; `left` are still there."""
        ...

    async def rejected(self, session: str, record: str, fault: RecordFault) -> None:
        """A control record in the store does not count."""
        ...

    def served(self, bytes: int) -> None:
        """Bytes of chunks given out for a restore."""
        ...

    def damage_found(self, backups: int) -> None:
        """How many backups are bad now, over all sessions."""
        ...

    def removed(self, backups: int, generations: int) -> None: ...
    def store_is(self, *, up: bool, conditional: bool) -> None: ...
