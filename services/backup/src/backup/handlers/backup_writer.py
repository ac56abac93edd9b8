"""Makes a backup out of a snapshot on offer: a whole backup, or nothing.

The order of the steps makes this so: check the epoch, pull the snapshot's manifest, write the missing chunks in packs,
check the epoch again, write the backup's manifest. A backup exists once its manifest exists. An attempt that ends
earlier leaves packs that no manifest names, and they go with their generation.

The trap: the same offer may come twice (a repeated request), while the first is under way or to another replica.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog
import zstandard

from backup.domain import layout
from backup.domain.entries import Listing
from backup.domain.generations import Choice, GenerationPolicy, NewestGeneration, choose
from backup.domain.manifests import BadSnapshot, StoredManifest, check, content_of, expected_chunks, is_chunk
from backup.domain.packs import ChunkLocation
from backup.ports import DataKey, EpochStore, Reports, Repository, SnapshotReader, Taken
from shared.clock import Clock
from shared.contracts.backups import BackupState, FailureCode, Stored, StoreSnapshot
from shared.contracts.errors import Conflict, Fenced, Invalid, ServiceError, TimedOut
from shared.contracts.message import BadMessage, decode
from shared.contracts.snapshots import CHUNK_BYTES, SnapshotManifest

from .ordered_map import ordered_map
from .pack_writer import PackWriter

log = structlog.get_logger()
_REQUESTS = 4
"""Chunks that the service requests from owners at once."""
_CHUNKS_UNDER_WAY = 8
"""Chunks of one backup that are requested, encrypted or waiting for their turn at once."""
_NAME_TRIES = 5


@dataclass(frozen=True)
class WriterOptions:
    """`timeout` in seconds for one backup; `at_once` backups of all sessions are written together, the others wait."""

    max_snapshot_bytes: int = 1024 * 1024 * 1024
    max_manifest_bytes: int = 32 * 1024 * 1024
    scrub: bool = True
    generations: GenerationPolicy = field(default_factory=GenerationPolicy)
    timeout: float = 900.0
    at_once: int = 2


@dataclass(frozen=True)
class Offer:
    """The snapshot as its owner described it. `packed` is its manifest as sent; `chunks` maps each chunk to its size in
    bytes."""

    packed: bytes
    manifest: SnapshotManifest
    chunks: dict[str, int]
    content: str


@dataclass(frozen=True)
class Plan:
    """Where the backup goes, and which of its chunks lie there already. `packs` are the sizes of the packs there."""

    generation: str
    key: DataKey
    known: dict[str, ChunkLocation]
    packs: dict[str, int]


class BackupWriter:
    def __init__(
        self,
        epochs: EpochStore,
        repository: Repository,
        reader: SnapshotReader,
        reports: Reports,
        clock: Clock,
        options: WriterOptions,
    ) -> None:
        self._epochs = epochs
        self._repository = repository
        self._reader = reader
        self._reports = reports
        self._clock = clock
        self._options = options
        self._slots = asyncio.Semaphore(options.at_once)
        self._requests = asyncio.Semaphore(_REQUESTS)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._under_way: dict[tuple[str, str, int], asyncio.Task[Stored]] = {}

    async def write(self, session: str, request: StoreSnapshot) -> Stored:
        """Joins the same request when that is under way. A caller who gives up does not end the backup. Raises errors
        of shared.contracts.errors; the snapshot is then not stored."""
        name = (session, request.snapshot, request.epoch)
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.create_task(self._write(session, request))
            self._under_way[name] = task
            task.add_done_callback(lambda done: self._ended(name, done))
        return await asyncio.shield(task)

    async def stop(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, name: tuple[str, str, int], task: asyncio.Task[Stored]) -> None:
        self._under_way.pop(name, None)
        if not task.cancelled():
            task.exception()  # fetches the exception: asyncio logs one that nobody fetched

    async def _write(self, session: str, request: StoreSnapshot) -> Stored:
        try:
            async with asyncio.timeout(self._options.timeout), self._turns[session], self._slots:
                return await self._steps(session, request)
        except ServiceError as error:
            await self._report_failure(session, request, error.code)
            raise
        except TimeoutError:
            await self._report_failure(session, request, TimedOut.code)
            raise TimedOut("the backup took too long") from None
        except Exception:
            await self._report_failure(session, request, ServiceError.code)
            raise

    async def _report_failure(self, session: str, request: StoreSnapshot, code: str) -> None:
        log.warning("backup_failed", session=session, epoch=request.epoch, code=code)
        await self._reports.failed(session, request.epoch, code)

    async def _steps(self, session: str, request: StoreSnapshot) -> Stored:
        started = self._clock.monotonic()
        await self._epochs.admit(session, request.epoch)
        listing = await self._repository.list_backups(session)
        if listing.highest_epoch > request.epoch:
            raise Fenced("another owner holds this session", hint="a backup of a newer epoch exists")
        repeated = await self._stored_already(listing, request.snapshot)
        if repeated is not None:
            return repeated
        offer = await self._read_offer(session, request)
        same = listing.newest_with_content(offer.content)
        if same is not None:
            return Stored(backup=same.ref.id, unchanged=True, chunks=len(offer.chunks))
        plan = await self._plan(listing, offer)
        packs = await self._write_packs(session, request, offer, plan)
        stored = await self._write_manifest(session, request, listing, offer, plan, packs)
        seconds = self._clock.monotonic() - started
        await self._reports.stored(session, request.epoch, stored, bytes=request.total_bytes, seconds=seconds)
        return stored

    async def _stored_already(self, listing: Listing, snapshot: str) -> Stored | None:
        entry = listing.with_snapshot(snapshot)
        return _reply(await self._repository.manifest(listing.session, entry.ref.id)) if entry else None

    async def _read_offer(self, session: str, request: StoreSnapshot) -> Offer:
        """Raises Invalid when the offer contradicts itself or exceeds a limit."""
        self._check_sizes(request)

        async def read(chunk: str) -> bytes:
            return await self._request_chunk(session, request.snapshot, chunk)

        parts = ordered_map(read, request.manifest_chunks, width=_REQUESTS)
        async with aclosing(parts):
            packed = b"".join([part async for part in parts])
        return await asyncio.to_thread(_parse_offer, session, request, packed, self._options.max_manifest_bytes)

    def _check_sizes(self, request: StoreSnapshot) -> None:
        if not 0 <= request.total_bytes <= self._options.max_snapshot_bytes:
            raise Invalid("the snapshot is larger than MAX_SNAPSHOT_MB", code=FailureCode.TOO_LARGE)
        if not 0 < len(request.manifest_chunks) * CHUNK_BYTES <= self._options.max_manifest_bytes + CHUNK_BYTES:
            raise Invalid("the snapshot's manifest is empty or too large", code=FailureCode.TOO_LARGE)
        if not all(is_chunk(chunk) for chunk in request.manifest_chunks):
            raise Invalid("a chunk's name is no SHA-256")

    async def _request_chunk(self, session: str, snapshot: str, chunk: str) -> bytes:
        async with self._requests:
            return await self._reader.chunk(session, snapshot, chunk)

    async def _plan(self, listing: Listing, offer: Offer) -> Plan:
        key = await self._repository.data_key(listing)
        choice, known = await self._choose_generation(listing, key)
        generations = listing.objects.generations
        if choice.name is not None:
            return Plan(choice.name, key, known, generations[choice.name].packs)
        name = layout.generation_name(offer.manifest.taken_at, offer.manifest.snapshot, taken=frozenset(generations))
        log.info("generation_begun", session=listing.session, generation=name, reason=choice.reason)
        return Plan(name, key, {}, {})

    async def _choose_generation(self, listing: Listing, key: DataKey) -> tuple[Choice, dict[str, ChunkLocation]]:
        """The choice, and the chunks that lie in the newest generation already."""
        entry = listing.newest
        if entry is None:
            return choose(None, self._options.generations, self._clock.now()), {}
        generation = listing.objects.generations[entry.ref.generation]
        known = await self._repository.known_chunks(listing, generation.name, key)
        newest = NewestGeneration(
            name=generation.name,
            started_at=generation.started_at,
            referenced_bytes=sum(location.bytes for location in known.values()),
            pack_bytes=generation.pack_bytes,
            damaged=generation.name in listing.damaged,
            cleared=entry.state is BackupState.CLEARED,
            same_key=entry.summary is not None and entry.summary.key == key.name,
        )
        return choose(newest, self._options.generations, self._clock.now()), known

    async def _write_packs(self, session: str, request: StoreSnapshot, offer: Offer, plan: Plan) -> PackWriter:
        """The missing chunks into the store; nothing names them yet."""
        packs = PackWriter(self._repository, session, plan.generation, plan.key, scrub=self._options.scrub)

        async def fetch(chunk: str) -> tuple[str, bytes, bool]:
            data = await self._request_chunk(session, request.snapshot, chunk)
            if len(data) != offer.chunks[chunk]:
                raise Invalid("a chunk does not have the size that its file needs", code=FailureCode.BAD_CHUNK)
            return chunk, *await self._repository.encrypt_chunk(session, plan.key, chunk, data)

        missing = [chunk for chunk in offer.chunks if chunk not in plan.known]
        try:
            records = ordered_map(fetch, missing, width=_CHUNKS_UNDER_WAY)
            async with aclosing(records):
                async for chunk, record, compressed in records:
                    await packs.add(chunk, record, compressed=compressed)
            await packs.finish()
        finally:
            await packs.cancel()
        return packs

    async def _write_manifest(
        self, session: str, request: StoreSnapshot, listing: Listing, offer: Offer, plan: Plan, packs: PackWriter
    ) -> Stored:
        """Write the manifest under the next free name; from then on the backup exists."""
        for attempt in range(_NAME_TRIES):
            sequence = listing.next_sequence + attempt
            manifest = self._manifest(session, request, sequence, offer, plan, packs)
            # A long upload may have outlived the owner's epoch.
            await self._epochs.admit(session, request.epoch)
            try:
                await self._repository.write_manifest(plan.key, manifest)
            except Taken:
                # boto3 repeated our own write, or another replica stores the same snapshot.
                repeated = await self._stored_already(await self._repository.list_backups(session), request.snapshot)
                if repeated is None:
                    continue
                return repeated
            await self._scrub_manifest(manifest)
            return _reply(manifest)
        raise Conflict("other backups keep taking the next name", code=FailureCode.CONTENDED)

    def _manifest(
        self, session: str, request: StoreSnapshot, sequence: int, offer: Offer, plan: Plan, packs: PackWriter
    ) -> StoredManifest:
        locations = {chunk: packs.locations.get(chunk) or plan.known[chunk] for chunk in offer.chunks}
        sizes = {**plan.packs, **packs.packs}
        return StoredManifest(
            session=session,
            generation=plan.generation,
            backup=str(layout.BackupName(request.epoch, sequence, layout.instant(offer.manifest.taken_at))),
            snapshot=request.snapshot,
            epoch=request.epoch,
            sequence=sequence,
            taken_at=offer.manifest.taken_at,
            stored_at=self._clock.now(),
            browser_version=offer.manifest.browser_version,
            reason=request.reason,
            content=offer.content,
            total_bytes=request.total_bytes,
            new_chunks=len(packs.locations),
            new_bytes=sum(offer.chunks[chunk] for chunk in packs.locations),
            stored_bytes=sum(packs.packs.values()),
            manifest=offer.packed,
            packs={location.pack: sizes[location.pack] for location in locations.values()},
            chunks=locations,
        )

    async def _scrub_manifest(self, manifest: StoredManifest) -> None:
        """Read the manifest back and record the proof; the packs were scrubbed as they were written. When the store is
        lost at this moment, the backup is whole and only its proof is missing."""
        if not self._options.scrub:
            return
        try:
            await self._repository.verify_manifest(manifest)
            await self._repository.write_proof(
                manifest.session, manifest.generation, manifest.backup, BackupState.SCRUBBED
            )
        except ServiceError as error:
            if error.code == FailureCode.SCRUB_FAILED:
                raise
            log.warning("proof_not_written", session=manifest.session, backup=manifest.backup, code=error.code)


def _reply(manifest: StoredManifest) -> Stored:
    return Stored(
        backup=manifest.backup,
        chunks=len(manifest.chunks),
        new_chunks=manifest.new_chunks,
        new_bytes=manifest.new_bytes,
        stored_bytes=manifest.stored_bytes,
    )


def _parse_offer(session: str, request: StoreSnapshot, packed: bytes, limit: int) -> Offer:
    try:
        data = zstandard.ZstdDecompressor().stream_reader(packed).read(limit + 1)
        if len(data) > limit:
            raise Invalid("the snapshot's manifest is too large", code=FailureCode.TOO_LARGE)
        manifest = decode(data, SnapshotManifest)
        check(
            manifest,
            session=session,
            snapshot=request.snapshot,
            epoch=request.epoch,
            total_bytes=request.total_bytes,
        )
        return Offer(packed, manifest, expected_chunks(manifest), content_of(manifest))
    except (zstandard.ZstdError, BadMessage, BadSnapshot) as error:
        raise Invalid(f"the snapshot's manifest is wrong: {error}", code=FailureCode.BAD_MANIFEST) from None
