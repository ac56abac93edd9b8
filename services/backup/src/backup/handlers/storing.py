"""Storing a snapshot: from the owner's offer to a whole backup, or to nothing.

Knows the order that makes this so: the epoch, the snapshot's manifest, the lacking chunks into packs, the epoch again,
the backup's manifest last. A store that ends anywhere before that leaves packs which no backup names; they go with
their generation. The trap: the same offer may come twice (a retry), also while the first is under way or to
another replica.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog
import zstandard

from backup.domain import layout
from backup.domain.generations import Choice, Limits, Standing, choose
from backup.domain.manifests import BadSnapshot, StoredManifest, check, content_of, expected_chunks, is_chunk
from backup.domain.packs import ChunkSpot
from backup.domain.retention import CLEARED, SCRUBBED
from backup.ports import Catalogue, DataKey, EpochGuard, Reports, Shelf, Shelved, SnapshotReader, Taken
from shared.clock import Clock
from shared.contracts.backups import Store, Stored
from shared.contracts.errors import Conflict, Invalid, ServiceError, TimedOut
from shared.contracts.message import BadMessage, decode
from shared.contracts.snapshots import CHUNK_BYTES, SnapshotManifest

from .packing import Packing
from .pulling import in_order

log = structlog.get_logger()
_OUTSTANDING = 4
_UNDER_WAY = 8
"""Chunks asked for, sealed or waiting for their turn; at most `_OUTSTANDING` of them are being asked for."""
_NAME_TRIES = 5


@dataclass(frozen=True)
class StoreOptions:
    """`timeout` in seconds for one store; `at_once` stores of all sessions run together, the others wait."""

    max_snapshot_bytes: int = 1024 * 1024 * 1024
    max_manifest_bytes: int = 32 * 1024 * 1024
    scrub: bool = True
    limits: Limits = field(default_factory=Limits)
    timeout: float = 900.0
    at_once: int = 2


@dataclass(frozen=True)
class Offer:
    """The snapshot as its owner described it. `packed` is its manifest as sent, `chunks` their sizes in bytes."""

    packed: bytes
    manifest: SnapshotManifest
    chunks: dict[str, int]
    content: str


@dataclass(frozen=True)
class Plan:
    """Where the backup goes, and what of it lies there already."""

    generation: str
    key: DataKey
    known: dict[str, ChunkSpot]
    packs: dict[str, int]
    """Sizes of the packs that are there already."""


class Storing:
    def __init__(
        self,
        guard: EpochGuard,
        shelf: Shelf,
        reader: SnapshotReader,
        reports: Reports,
        clock: Clock,
        options: StoreOptions,
    ) -> None:
        self._guard = guard
        self._shelf = shelf
        self._reader = reader
        self._reports = reports
        self._clock = clock
        self._options = options
        self._room = asyncio.Semaphore(options.at_once)
        self._asking = asyncio.Semaphore(_OUTSTANDING)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._under_way: dict[tuple[str, str, int], asyncio.Task[Stored]] = {}

    async def store(self, session: str, ask: Store) -> Stored:
        """Joins the same store when that is under way; a caller who gives up does not end it."""
        name = (session, ask.snapshot, ask.epoch)
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.create_task(self._store(session, ask))
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
            task.exception()

    async def _store(self, session: str, ask: Store) -> Stored:
        try:
            async with asyncio.timeout(self._options.timeout), self._turns[session], self._room:
                return await self._steps(session, ask)
        except ServiceError as error:
            await self._failed(session, ask, error.code)
            raise
        except TimeoutError:
            await self._failed(session, ask, "timed_out")
            raise TimedOut("the store took too long") from None
        except Exception:
            await self._failed(session, ask, "internal")
            raise

    async def _failed(self, session: str, ask: Store, code: str) -> None:
        log.warning("store_failed", session=session, epoch=ask.epoch, code=code)
        await self._reports.failed(session, ask.epoch, code)

    async def _steps(self, session: str, ask: Store) -> Stored:
        started = self._clock.monotonic()
        await self._guard.admit(session, ask.epoch)
        catalogue = await self._shelf.catalogue(session)
        repeated = await self._find_snapshot(catalogue, ask.snapshot)
        if repeated is not None:
            return repeated
        offer = await self._read_offer(session, ask)
        same = _same_content(catalogue, offer)
        if same is not None:
            return Stored(backup=same.ref.id, unchanged=True, chunks=len(offer.chunks))
        plan = await self._plan(catalogue, offer)
        packing = await self._upload(session, ask, offer, plan)
        stored = await self._seal(session, ask, catalogue, offer, plan, packing)
        seconds = self._clock.monotonic() - started
        await self._reports.stored(session, ask.epoch, stored, bytes=ask.total_bytes, seconds=seconds)
        return stored

    async def _find_snapshot(self, catalogue: Catalogue, snapshot: str) -> Stored | None:
        for item in catalogue.backups:
            if item.good and item.summary is not None and item.summary.snapshot == snapshot:
                return _as_stored(await self._shelf.manifest(catalogue.inventory.session, item.ref.id))
        return None

    async def _read_offer(self, session: str, ask: Store) -> Offer:
        """Raises Invalid when the offer contradicts itself or is over a limit."""
        self._check_sizes(ask)

        async def read(chunk: str) -> bytes:
            return await self._ask_owner(session, ask.snapshot, chunk)

        parts = in_order(ask.manifest_chunks, read, width=_OUTSTANDING)
        async with aclosing(parts):
            packed = b"".join([part async for part in parts])
        return await asyncio.to_thread(_read_offer, session, ask, packed, self._options.max_manifest_bytes)

    def _check_sizes(self, ask: Store) -> None:
        if not 0 <= ask.total_bytes <= self._options.max_snapshot_bytes:
            raise Invalid("the snapshot is larger than MAX_SNAPSHOT_MB", code="too_large")
        if not 0 < len(ask.manifest_chunks) * CHUNK_BYTES <= self._options.max_manifest_bytes + CHUNK_BYTES:
            raise Invalid("the snapshot's manifest is empty or too large", code="too_large")
        if not all(is_chunk(chunk) for chunk in ask.manifest_chunks):
            raise Invalid("a chunk's name is no SHA-256")

    async def _ask_owner(self, session: str, snapshot: str, chunk: str) -> bytes:
        async with self._asking:
            return await self._reader.chunk(session, snapshot, chunk)

    async def _plan(self, catalogue: Catalogue, offer: Offer) -> Plan:
        key = await self._shelf.data_key(catalogue)
        choice, known = await self._choose(catalogue, key)
        if choice.name is not None:
            return Plan(choice.name, key, known, catalogue.inventory.generations[choice.name].packs)
        name = layout.generation_name(
            offer.manifest.taken_at, offer.manifest.snapshot, taken=frozenset(catalogue.inventory.generations)
        )
        log.info("generation_begun", session=catalogue.inventory.session, generation=name, reason=choice.reason)
        return Plan(name, key, {}, {})

    async def _choose(self, catalogue: Catalogue, key: DataKey) -> tuple[Choice, dict[str, ChunkSpot]]:
        if not catalogue.backups:
            return choose(None, self._options.limits, self._clock.now()), {}
        newest = catalogue.backups[0]
        generation = catalogue.inventory.generations[newest.ref.generation]
        known = await self._shelf.known_chunks(catalogue, generation.name, key)
        standing = Standing(
            name=generation.name,
            started_at=generation.started_at,
            referenced_bytes=sum(spot.bytes for spot in known.values()),
            pack_bytes=generation.pack_bytes,
            damaged=generation.name in catalogue.damaged,
            cleared=newest.state == CLEARED,
            readable=newest.summary is not None,
            same_key=newest.summary is not None and newest.summary.key == key.name,
        )
        return choose(standing, self._options.limits, self._clock.now()), known

    async def _upload(self, session: str, ask: Store, offer: Offer, plan: Plan) -> Packing:
        """The lacking chunks into the store; nothing names them yet."""
        packing = Packing(self._shelf, session, plan.generation, plan.key, scrub=self._options.scrub)

        async def fetch(chunk: str) -> tuple[str, bytes, bool]:
            data = await self._ask_owner(session, ask.snapshot, chunk)
            if len(data) != offer.chunks[chunk]:
                raise Invalid("a chunk has not the size that its file needs", code="bad_chunk")
            return chunk, *await self._shelf.seal(session, plan.key, chunk, data)

        lacking = [chunk for chunk in offer.chunks if chunk not in plan.known]
        try:
            sealed = in_order(lacking, fetch, width=_UNDER_WAY)
            async with aclosing(sealed):
                async for chunk, record, compressed in sealed:
                    await packing.add(chunk, record, compressed=compressed)
            await packing.finish()
        finally:
            await packing.abandon()
        return packing

    async def _seal(
        self, session: str, ask: Store, catalogue: Catalogue, offer: Offer, plan: Plan, packing: Packing
    ) -> Stored:
        """Write the manifest under the next free name: from then on the backup exists."""
        for attempt in range(_NAME_TRIES):
            sequence = catalogue.inventory.next_sequence + attempt
            manifest = self._manifest(session, ask, sequence, offer, plan, packing)
            # a long upload may have outlived the owner's epoch
            await self._guard.admit(session, ask.epoch)
            try:
                await self._shelf.write_manifest(plan.key, manifest)
            except Taken:
                # our own write answered twice, or another replica storing the same
                repeated = await self._find_snapshot(await self._shelf.catalogue(session), ask.snapshot)
                if repeated is None:
                    continue
                return repeated
            await self._prove(manifest)
            return _as_stored(manifest)
        raise Conflict("other stores keep taking the next name", code="contended")

    def _manifest(
        self, session: str, ask: Store, sequence: int, offer: Offer, plan: Plan, packing: Packing
    ) -> StoredManifest:
        spots = {chunk: packing.spots.get(chunk) or plan.known[chunk] for chunk in offer.chunks}
        sizes = {**plan.packs, **packing.packs}
        return StoredManifest(
            session=session,
            generation=plan.generation,
            backup=str(layout.BackupName(ask.epoch, sequence, layout.instant(offer.manifest.taken_at))),
            snapshot=ask.snapshot,
            epoch=ask.epoch,
            sequence=sequence,
            taken_at=offer.manifest.taken_at,
            stored_at=self._clock.now(),
            browser_version=offer.manifest.browser_version,
            reason=ask.reason,
            content=offer.content,
            total_bytes=ask.total_bytes,
            new_chunks=len(packing.spots),
            new_bytes=sum(offer.chunks[chunk] for chunk in packing.spots),
            stored_bytes=sum(packing.packs.values()),
            manifest=offer.packed,
            packs={spot.pack: sizes[spot.pack] for spot in spots.values()},
            chunks=spots,
        )

    async def _prove(self, manifest: StoredManifest) -> None:
        """The packs were read back as they were written; now the manifest, and a note of it. A store that is lost just
        now leaves a whole backup without the note."""
        if not self._options.scrub:
            return
        try:
            await self._shelf.read_back(manifest)
            await self._shelf.prove(manifest.session, manifest.generation, manifest.backup, SCRUBBED)
        except ServiceError as error:
            if error.code == "scrub_failed":
                raise
            log.warning("proof_not_written", session=manifest.session, backup=manifest.backup, code=error.code)


def _same_content(catalogue: Catalogue, offer: Offer) -> Shelved | None:
    """The newest backup, when it is good and holds exactly this."""
    newest = catalogue.backups[0] if catalogue.backups else None
    if newest is None or not newest.good or newest.summary is None or newest.ref.generation in catalogue.damaged:
        return None
    return newest if newest.summary.content == offer.content else None


def _as_stored(manifest: StoredManifest) -> Stored:
    return Stored(
        backup=manifest.backup,
        chunks=len(manifest.chunks),
        new_chunks=manifest.new_chunks,
        new_bytes=manifest.new_bytes,
        stored_bytes=manifest.stored_bytes,
    )


def _read_offer(session: str, ask: Store, packed: bytes, limit: int) -> Offer:
    try:
        data = zstandard.ZstdDecompressor().stream_reader(packed).read(limit + 1)
        if len(data) > limit:
            raise Invalid("the snapshot's manifest is too large", code="too_large")
        manifest = decode(data, SnapshotManifest)
        check(manifest, session=session, snapshot=ask.snapshot, epoch=ask.epoch, total_bytes=ask.total_bytes)
        return Offer(packed, manifest, expected_chunks(manifest), content_of(manifest))
    except (zstandard.ZstdError, BadMessage, BadSnapshot) as error:
        raise Invalid(f"the snapshot's manifest is wrong: {error}", code="bad_manifest") from None
