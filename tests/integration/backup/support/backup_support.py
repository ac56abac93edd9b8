"""What the tests of the backup service share: an owner with snapshots, a client that stores and restores, a replica of
the service wired to any store, and the service as a process.

The client restores as a worker does: it verifies every hash and does not trust the service.
"""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import zstandard
from memory_object_store import MemoryObjectStore

from backup.adapters.control_records import ControlRecords
from backup.adapters.encryption import MasterKeys
from backup.adapters.epoch_store import ObjectEpochStore
from backup.adapters.lookout import Lookout
from backup.adapters.repository import ObjectRepository
from backup.domain import layout
from backup.domain.generations import GenerationPolicy
from backup.domain.layout import ObjectKind
from backup.domain.retention import RetentionPolicy
from backup.handlers import BackupReader, BackupWriter, WriterOptions
from backup.ports import ObjectStore
from backup.runner import Maintenance
from shared.bus import Bus, Call
from shared.clock import Clock, SystemClock
from shared.contracts import subjects
from shared.contracts.backups import (
    CLAIM_EPOCH,
    FETCH_CHUNK,
    FETCH_MANIFEST,
    LIST_BACKUPS,
    READ_CHUNK,
    STORE_SNAPSHOT,
    TOMBSTONE,
    Backups,
    ClaimEpoch,
    EpochClaimed,
    FetchChunk,
    FetchManifest,
    ListBackups,
    ReadChunk,
    RecordFault,
    Stored,
    StoreSnapshot,
    Tombstone,
    Tombstoned,
)
from shared.contracts.errors import NotFound
from shared.contracts.message import Message, decode, encode
from shared.contracts.snapshots import FileEntry, SnapshotManifest, digest, split
from shared.contracts.subjects import Command
from shared.testing import NatsServer, S3Server, bus_environment, eventually, options_for_tests
from shared.testing.process import Process

MASTER_KEY = bytes(range(32))
METRICS_TOKEN = "lets-the-test-read-metrics"
R = TypeVar("R", bound=Message)
Tree = Mapping[str, bytes]


@dataclass
class Owner:
    """Holds snapshots and gives out their chunks, directly or over the bus."""

    clock: Clock
    version: str = "156.0.8078.79"
    chunks: dict[str, bytes] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    made: int = 0
    before_read: Callable[[int], Awaitable[None]] | None = None

    def offer(self, session: str, tree: Tree, *, epoch: int = 1, taken_at: datetime | None = None) -> StoreSnapshot:
        self.made += 1
        files = []
        for path, data in sorted(tree.items()):
            parts = list(split(data))
            self.chunks.update((digest(part), part) for part in parts)
            files.append(FileEntry(path=path, bytes=len(data), chunks=tuple(digest(part) for part in parts)))
        manifest = SnapshotManifest(
            session=session,
            snapshot=f"snap-{session}-{epoch}-{self.made}",
            epoch=epoch,
            taken_at=taken_at or self.clock.now(),
            browser_version=self.version,
            files=tuple(files),
        )
        return self.offer_manifest(manifest)

    def offer_manifest(self, manifest: SnapshotManifest) -> StoreSnapshot:
        parts = list(split(zstandard.compress(encode(manifest))))
        self.chunks.update((digest(part), part) for part in parts)
        return StoreSnapshot(
            snapshot=manifest.snapshot,
            epoch=manifest.epoch,
            manifest_chunks=tuple(digest(part) for part in parts),
            total_bytes=manifest.total_bytes(),
        )

    async def chunk(self, session: str, snapshot: str, sha256: str) -> bytes:
        self.reads.append(sha256)
        if self.before_read:
            await self.before_read(len(self.reads))
        if sha256 not in self.chunks:
            raise NotFound("no such chunk")
        return self.chunks[sha256]

    async def serve(self, bus: Bus, session: str) -> None:
        async def read(request: ReadChunk, call: Call) -> bytes:
            return await self.chunk(call.session, request.snapshot, request.sha256)

        await bus.serve(subjects.command(READ_CHUNK, session), ReadChunk, read)


@dataclass
class RecordedReports:
    """Reports, recorded for the test."""

    stored_: list[Stored] = field(default_factory=list)
    failed_: list[str] = field(default_factory=list)
    lost_: list[int] = field(default_factory=list)
    rejected_: list[tuple[str, str]] = field(default_factory=list)
    bad: int = 0
    removed_: tuple[int, int] = (0, 0)
    up: bool = False

    async def stored(self, session: str, epoch: int, stored: Stored, *, bytes: int, seconds: float) -> None:
        self.stored_.append(stored)

    async def failed(self, session: str, epoch: int, code: str) -> None:
        self.failed_.append(code)

    async def lost(self, session: str, backups: int, left: int) -> None:
        self.lost_.append(backups)

    async def rejected(self, session: str, record: str, fault: RecordFault) -> None:
        self.rejected_.append((record, fault.value))

    def served(self, bytes: int) -> None: ...
    def damage_found(self, backups: int) -> None:
        self.bad = backups

    def removed(self, backups: int, generations: int) -> None:
        self.removed_ = (self.removed_[0] + backups, self.removed_[1] + generations)

    def store_is(self, *, up: bool, conditional: bool) -> None:
        self.up = up


class Replica:
    """The service's parts around one store, without a bus. A second replica on the same store is a second replica."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        owner: Owner,
        *,
        retention: RetentionPolicy | None = None,
        generations: GenerationPolicy | None = None,
        master: bytes = MASTER_KEY,
        previous: tuple[bytes, ...] = (),
        scrub: bool = True,
        max_snapshot_bytes: int = 1 << 30,
    ) -> None:
        self.store = store
        self.owner = owner
        self.reports = RecordedReports()
        retention, generations = retention or RetentionPolicy(), generations or GenerationPolicy()
        keys = MasterKeys(master, previous)
        records = ControlRecords(store, keys.signing, self.reports)
        self.repository = ObjectRepository(store, records, keys, Lookout(self.reports, clock, retention), clock)
        self.epochs = ObjectEpochStore(records, self.repository, clock)
        options = WriterOptions(scrub=scrub, generations=generations, max_snapshot_bytes=max_snapshot_bytes)
        self.writer = BackupWriter(self.epochs, self.repository, owner, self.reports, clock, options)
        self.reader = BackupReader(self.repository, self.reports, clock, retention)
        self.maintenance = Maintenance(
            self.epochs,
            self.repository,
            self.reports,
            clock,
            retention=retention,
            generations=generations,
            interval=60,
            sign_anew=keys.changing,
        )

    async def claim(self, session: str, nonce: str = "n1", at_least: int = 1) -> int:
        return await self.epochs.claim(session, owner="owner", nonce=nonce, at_least=at_least)

    async def back_up(self, session: str, tree: Tree, *, epoch: int = 1, taken_at: datetime | None = None) -> Stored:
        return await self.writer.write(session, self.owner.offer(session, tree, epoch=epoch, taken_at=taken_at))

    async def backups(self, session: str) -> Backups:
        return await self.reader.backups(session)

    async def restore(self, session: str, backup: str) -> dict[str, bytes]:
        async def part(offset: int) -> bytes:
            return await self.reader.manifest_part(session, FetchManifest(backup=backup, offset=offset))

        async def chunk(sha256: str) -> bytes:
            return await self.reader.chunk(session, FetchChunk(backup=backup, sha256=sha256))

        return await restored(part, chunk)


async def restored(
    part: Callable[[int], Awaitable[bytes]], chunk: Callable[[str], Awaitable[bytes]]
) -> dict[str, bytes]:
    """The tree of a backup, with every hash and size checked."""
    packed = b""
    while data := await part(len(packed)):
        packed += data
    manifest = decode(zstandard.ZstdDecompressor().stream_reader(packed).read(), SnapshotManifest)
    tree = {}
    for file in manifest.files:
        parts = [await chunk(name) for name in file.chunks]
        assert [digest(each) for each in parts] == list(file.chunks)
        tree[file.path] = b"".join(parts)
        assert len(tree[file.path]) == file.bytes
    return tree


class Client:
    """A worker's side of the conversation over a real bus."""

    def __init__(self, bus: Bus, session: str, owner: Owner) -> None:
        self.bus = bus
        self.session = session
        self.owner = owner

    async def ask(self, command: Command, message: Message, reply: type[R], *, timeout: float = 30.0) -> R:
        return await self.bus.request(subjects.command(command, self.session), message, reply, timeout=timeout)

    async def claim(self, nonce: str = "n1", at_least: int = 1) -> EpochClaimed:
        return await self.ask(CLAIM_EPOCH, ClaimEpoch(owner="owner", nonce=nonce, at_least=at_least), EpochClaimed)

    async def store(self, request: StoreSnapshot, *, timeout: float = 60.0) -> Stored:
        return await self.ask(STORE_SNAPSHOT, request, Stored, timeout=timeout)

    async def back_up(self, tree: Tree, *, epoch: int = 1) -> Stored:
        return await self.store(self.owner.offer(self.session, tree, epoch=epoch))

    async def backups(self, *, timeout: float = 30.0) -> Backups:
        return await self.ask(LIST_BACKUPS, ListBackups(), Backups, timeout=timeout)

    async def tombstone(self, epoch: int) -> Tombstoned:
        return await self.ask(TOMBSTONE, Tombstone(epoch=epoch), Tombstoned)

    async def chunk(self, backup: str, sha256: str) -> bytes:
        subject = subjects.command(FETCH_CHUNK, self.session)
        return await self.bus.request_bytes(subject, FetchChunk(backup=backup, sha256=sha256), timeout=30)

    async def part(self, backup: str, offset: int) -> bytes:
        subject = subjects.command(FETCH_MANIFEST, self.session)
        return await self.bus.request_bytes(subject, FetchManifest(backup=backup, offset=offset), timeout=30)

    async def restore(self, backup: str) -> dict[str, bytes]:
        return await restored(lambda offset: self.part(backup, offset), lambda sha256: self.chunk(backup, sha256))


class BackupService:
    """`python -m backup` as a process."""

    def __init__(self, folder: Path, nats: NatsServer, s3: S3Server, *, endpoint: str = "", **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._env = {
            **{
                name: os.environ[name]
                for name in ("PATH", "HOME", "PYTHONPATH", "TMPDIR", "MALLOC_ARENA_MAX")
                if name in os.environ
            },
            **bus_environment(),
            "NATS_URL": nats.url,
            "S3_ENDPOINT": endpoint or s3.endpoint,
            "S3_BUCKET": s3.bucket,
            "S3_ACCESS_KEY_ID": s3.access_key,
            "S3_SECRET_ACCESS_KEY": s3.secret_key,
            "MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
            "LOG_LEVEL": "info",
            "METRICS_TOKEN": METRICS_TOKEN,
            **settings,
        }
        self.process: Process | None = None

    @property
    def log(self) -> str:
        return (self._folder / "backup.log").read_text(errors="replace")

    def start(self) -> Process:
        self.process = Process([sys.executable, "-m", "backup"], log_file=self._folder / "backup.log", env=self._env)
        return self.process

    def stop(self) -> None:
        if self.process:
            self.process.stop()


async def connect(nats: NatsServer) -> Bus:
    return await Bus.connect(options_for_tests(nats.url, name="browser-worker"), clock=SystemClock())


async def serving(client: Client, *, timeout: float = 30.0) -> None:
    """Wait until some replica answers and its store can be asked."""

    async def answers() -> bool:
        try:
            await client.backups(timeout=10)
        except Exception as error:
            raise AssertionError(repr(error)) from error
        return True

    await eventually(answers, timeout=timeout, interval=0.1, message="the backup service answers")


def keys_of(store: MemoryObjectStore, *kinds: ObjectKind, generation: str = "") -> list[str]:
    """The keys of these kinds in the store, sorted; only those of `generation` when it is given."""
    return sorted(key for key in store.data if is_of(key, *kinds, generation=generation))


def is_of(key: str, *kinds: ObjectKind, generation: str = "") -> bool:
    parsed = layout.parse_key(key)
    return parsed is not None and parsed.kind in kinds and generation in ("", parsed.generation)


def days(number: float) -> timedelta:
    return timedelta(days=number)
