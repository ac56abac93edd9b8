"""The backup service as the owner of one session sees it, over the bus.

Errors of the bus pass through: NotRunning, Unavailable and TimedOut mean that nothing is known about the backups, never
that there are none. A request for a chunk is repeated after a lost answer. A `StoreSnapshot` is not, because the
service may have stored the snapshot; the owner offers a new snapshot instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import zstandard

from browser_worker.ports import ChunkSource, ProfileDamaged, Snapshot
from shared.bus import Bus
from shared.contracts import subjects
from shared.contracts.backups import (
    CLAIM_EPOCH,
    FETCH_CHUNK,
    FETCH_MANIFEST,
    LIST_BACKUPS,
    STORE_SNAPSHOT,
    TOMBSTONE,
    Backups,
    BackupTrigger,
    ClaimEpoch,
    EpochClaimed,
    FetchChunk,
    FetchManifest,
    ListBackups,
    Stored,
    StoreSnapshot,
    Tombstone,
    Tombstoned,
)
from shared.contracts.errors import TryAgain
from shared.contracts.message import BadMessage, decode
from shared.contracts.snapshots import SnapshotManifest, digest
from shared.contracts.subjects import Command

T = TypeVar("T")

STORE_SECONDS = 180.0
ANSWER_SECONDS = 10.0
CHUNK_SECONDS = 20.0
_TRIES = 3
_MAX_MANIFEST_BYTES = 64 * 1024 * 1024


class BusBackupService:
    """Fulfils ports.BackupService. `store_seconds` is how long the upload of one snapshot may take."""

    def __init__(self, bus: Bus, session: str, *, store_seconds: float = STORE_SECONDS) -> None:
        self._bus = bus
        self._session = session
        self._store_seconds = store_seconds

    async def claim_epoch(self, *, owner: str, nonce: str, at_least: int) -> EpochClaimed:
        message = ClaimEpoch(owner=owner, nonce=nonce, at_least=at_least)
        return await self._bus.request(self._to(CLAIM_EPOCH), message, EpochClaimed, timeout=CHUNK_SECONDS)

    async def store(
        self, snapshot: Snapshot, manifest_chunks: tuple[str, ...], *, epoch: int, trigger: BackupTrigger
    ) -> Stored:
        message = StoreSnapshot(
            snapshot=snapshot.id,
            epoch=epoch,
            manifest_chunks=manifest_chunks,
            total_bytes=snapshot.manifest.total_bytes(),
            reason=trigger,
        )
        return await self._bus.request(self._to(STORE_SNAPSHOT), message, Stored, timeout=self._store_seconds)

    async def backups(self, *, for_a_person: bool = False) -> Backups:
        message = ListBackups(for_a_person=for_a_person)
        return await self._bus.request(self._to(LIST_BACKUPS), message, Backups, timeout=ANSWER_SECONDS)

    def source(self, backup_id: str) -> ChunkSource:
        return BusChunkSource(self._bus, self._session, backup_id)

    async def tombstone(self, *, epoch: int) -> None:
        message = Tombstone(epoch=epoch)
        await self._bus.request(self._to(TOMBSTONE), message, Tombstoned, timeout=CHUNK_SECONDS)

    def _to(self, command: Command) -> str:
        return subjects.command(command, self._session)


class BusChunkSource:
    """Fulfils ports.ChunkSource for one backup. A request that fails with TryAgain is repeated twice."""

    def __init__(self, bus: Bus, session: str, backup_id: str) -> None:
        self._bus = bus
        self._session = session
        self._backup_id = backup_id

    async def manifest(self) -> SnapshotManifest:
        """Raises ProfileDamaged when the stored bytes are no manifest."""
        compressed = bytearray()
        while part := await _with_retries(partial(self._manifest_part, len(compressed))):
            compressed += part
            if len(compressed) > _MAX_MANIFEST_BYTES:
                raise ProfileDamaged("the backup's manifest is larger than a manifest can be")
        return _decoded(bytes(compressed))

    async def chunk(self, sha256: str) -> bytes:
        """Raises ProfileDamaged when the bytes have another hash."""
        data = await _with_retries(lambda: self._chunk(sha256))
        if digest(data) != sha256:
            raise ProfileDamaged("a chunk of the backup is damaged")
        return data

    async def _manifest_part(self, offset: int) -> bytes:
        subject = subjects.command(FETCH_MANIFEST, self._session)
        message = FetchManifest(backup=self._backup_id, offset=offset)
        return await self._bus.request_bytes(subject, message, timeout=CHUNK_SECONDS)

    async def _chunk(self, sha256: str) -> bytes:
        subject = subjects.command(FETCH_CHUNK, self._session)
        message = FetchChunk(backup=self._backup_id, sha256=sha256)
        return await self._bus.request_bytes(subject, message, timeout=CHUNK_SECONDS)


async def _with_retries(request: Callable[[], Awaitable[T]]) -> T:
    for _ in range(_TRIES - 1):
        try:
            return await request()
        except TryAgain:
            continue
    return await request()


def _decoded(compressed: bytes) -> SnapshotManifest:
    try:
        plain = zstandard.ZstdDecompressor().decompress(compressed, max_output_size=_MAX_MANIFEST_BYTES)
        return decode(plain, SnapshotManifest)
    except (zstandard.ZstdError, BadMessage) as error:
        raise ProfileDamaged(f"the backup's manifest cannot be read ({type(error).__name__})") from None
