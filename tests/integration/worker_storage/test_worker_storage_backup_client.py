"""The client of the backup service over a real bus; a few handlers stand in for the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from tiny_profile import age, contents, make_profile

from browser_worker.adapters.backup_client import BusBackupService
from browser_worker.adapters.profile.store import DiskProfileStore
from browser_worker.ports import ProfileDamaged, Snapshot
from shared.bus import Bus, Call
from shared.clock import SystemClock
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
from shared.contracts.errors import Fenced, NotFound, NotRunning, Unavailable
from shared.contracts.message import Message, encode
from shared.contracts.snapshots import SnapshotManifest, digest
from shared.contracts.subjects import Command

VERSION = "156.0.8078.79"
Handler = Callable[..., Awaitable[Message | bytes]]


@pytest.fixture
async def snapshot(locked_store: DiskProfileStore) -> Snapshot:
    age(make_profile(locked_store.profile))
    return await locked_store.snapshot_at_rest(epoch=3, browser_version=VERSION)


@pytest.fixture
async def serve(bus: Bus) -> AsyncIterator[Callable[[str, type[Message], Handler], Awaitable[None]]]:
    served = []

    async def serve_one(command: Command, kind: type[Message], handler: Handler) -> None:
        served.append(await bus.serve(subjects.command(command, "*"), kind, handler, queue="backup"))

    yield serve_one
    for one in served:
        await one.stop()


class PlayedService:
    """Keeps one backup in memory, as the chunks that it was given."""

    def __init__(self, manifest: SnapshotManifest, chunks: dict[str, bytes]) -> None:
        self.packed = zstandard.ZstdCompressor().compress(encode(manifest))
        self.chunks = chunks
        self.failures = 0
        self.part = 1000

    async def manifest(self, message: FetchManifest, call: Call) -> bytes:
        return self.packed[message.offset : message.offset + self.part]

    async def chunk(self, message: FetchChunk, call: Call) -> bytes:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the store does not answer")
        if message.sha256 not in self.chunks:
            raise NotFound("no such chunk")
        return self.chunks[message.sha256]


def chunks_of(snapshot: Snapshot) -> dict[str, bytes]:
    found = {}
    for entry in snapshot.manifest.files:
        data = (snapshot.folder / "profile" / entry.path).read_bytes()
        found |= {digest(data[at : at + 524288]): data[at : at + 524288] for at in range(0, len(data), 524288)}
    return found


@pytest.fixture
async def played(snapshot: Snapshot, serve: Callable[..., Awaitable[None]]) -> PlayedService:
    service = PlayedService(snapshot.manifest, chunks_of(snapshot))
    await serve(FETCH_MANIFEST, FetchManifest, service.manifest)
    await serve(FETCH_CHUNK, FetchChunk, service.chunk)
    return service


async def test_a_backup_comes_back_over_the_bus_as_it_was(
    bus: Bus, played: PlayedService, locked_store: DiskProfileStore
) -> None:
    wanted = contents(locked_store.profile)
    await locked_store.set_aside()
    source = BusBackupService(bus, "shop").source("b1")
    await locked_store.restore_backup(source, browser_version=VERSION)
    restored = contents(locked_store.profile)
    assert restored == {name: wanted[name] for name in restored}
    assert (await locked_store.inspect()).valid


async def test_a_chunk_is_asked_for_again_while_the_store_is_away_for_a_moment(
    bus: Bus, played: PlayedService, snapshot: Snapshot
) -> None:
    played.failures = 2
    source = BusBackupService(bus, "shop").source("b1")
    sha256 = snapshot.manifest.files[0].chunks[0]
    assert digest(await source.chunk(sha256)) == sha256
    played.failures = 3
    with pytest.raises(Unavailable):
        await source.chunk(sha256)


async def test_a_chunk_that_is_not_what_was_asked_for_is_damage(
    bus: Bus, played: PlayedService, snapshot: Snapshot
) -> None:
    sha256 = snapshot.manifest.files[0].chunks[0]
    played.chunks[sha256] += b"!"
    with pytest.raises(ProfileDamaged):
        await BusBackupService(bus, "shop").source("b1").chunk(sha256)
    with pytest.raises(NotFound):
        await BusBackupService(bus, "shop").source("b1").chunk("0" * 64)


@pytest.mark.parametrize("packed", [b"no zstd", zstandard.ZstdCompressor().compress(b"no manifest"), b""])
async def test_a_manifest_that_cannot_be_read_is_damage(bus: Bus, played: PlayedService, packed: bytes) -> None:
    played.packed = packed
    with pytest.raises(ProfileDamaged):
        await BusBackupService(bus, "shop").source("b1").manifest()


async def test_each_request_goes_to_the_session_and_brings_its_answer(
    bus: Bus, serve: Callable[..., Awaitable[None]], snapshot: Snapshot
) -> None:
    seen: list[tuple[str, Message]] = []
    now = datetime(2026, 11, 22, tzinfo=UTC)
    answers: list[tuple[str, type[Message], Message]] = [
        (CLAIM_EPOCH, ClaimEpoch, EpochClaimed(epoch=8)),
        (STORE_SNAPSHOT, StoreSnapshot, Stored(backup="b1")),
        (LIST_BACKUPS, ListBackups, Backups(stored_bytes=5)),
        (TOMBSTONE, Tombstone, Tombstoned(tombstoned_at=now)),
    ]
    for verb, kind, answer in answers:

        async def handle(message: Message, call: Call, answer: Message = answer) -> Message:
            seen.append((call.session, message))
            return answer

        await serve(verb, kind, handle)
    service = BusBackupService(bus, "shop")
    assert await service.claim_epoch(owner="w", nonce="n", at_least=4) == EpochClaimed(epoch=8)
    assert await service.store(snapshot, ("p1", "p2"), epoch=8, trigger=BackupTrigger.LINK) == Stored(backup="b1")
    assert await service.backups() == Backups(stored_bytes=5)
    await service.tombstone(epoch=8)
    total = snapshot.manifest.total_bytes()
    assert seen == [
        ("shop", ClaimEpoch(owner="w", nonce="n", at_least=4)),
        (
            "shop",
            StoreSnapshot(
                snapshot=snapshot.id, epoch=8, manifest_chunks=("p1", "p2"), total_bytes=total, reason="link"
            ),
        ),
        ("shop", ListBackups()),
        ("shop", Tombstone(epoch=8)),
    ]


async def test_what_the_service_refuses_and_its_absence_are_told_apart(
    bus: Bus, serve: Callable[..., Awaitable[None]], snapshot: Snapshot
) -> None:
    service = BusBackupService(bus, "shop")
    with pytest.raises(NotRunning):
        await service.backups()

    async def refuse(message: StoreSnapshot, call: Call) -> Message:
        raise Fenced("an owner with a newer epoch exists")

    await serve(STORE_SNAPSHOT, StoreSnapshot, refuse)
    with pytest.raises(Fenced):
        await service.store(snapshot, (), epoch=1, trigger=BackupTrigger.STOP)


async def test_a_profile_is_restored_into_an_empty_place_of_another_worker(
    bus: Bus, played: PlayedService, tmp_path: Path
) -> None:
    other = DiskProfileStore(tmp_path / "elsewhere", tmp_path / "other-saves", "shop", SystemClock())
    async with other.lock():
        assert not await other.import_old_profile()
        await other.restore_backup(BusBackupService(bus, "shop").source("b1"), browser_version=VERSION)
        assert (await other.inspect()).valid
