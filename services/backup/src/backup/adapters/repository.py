"""The backups of sessions on an object store: read and written through the cipher and the caches.

The repository collects evidence and carries out what the domain decides (`domain.entries` gives each backup its state).
Only a listing says what exists, and only a successful decryption says that it can be read and that it is what its name
says; the caches remember neither longer than the object that it was learned from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from backup.domain import layout
from backup.domain.entries import Evidence, Listing, make_listing
from backup.domain.listing import BackupRef, SessionObjects, parse_listing
from backup.domain.manifests import StoredManifest
from backup.domain.packs import ChunkLocation, ClosedPack
from backup.domain.ranges import PackRange, ranges_of
from backup.domain.records import DamagedRecord
from backup.ports import DataKey, ObjectStore, wrong_master_key
from shared.clock import Clock
from shared.contracts.backups import BackupState, FailureCode
from shared.contracts.errors import NotFound, Unavailable

from .control_records import ControlRecords
from .corruption_markers import CorruptionMarkers
from .encryption import ForeignMasterKey, MasterKeys, decrypt_chunk, encrypt_chunk
from .keyring import Keyring
from .lookout import Lookout
from .pack_reader import PackReader
from .repository_manifests import RepositoryManifests

log = structlog.get_logger()
_SCRUB_BYTES = 2 * 1024 * 1024
"""Bytes that a scrub reads at once; two packs may be scrubbed at once."""


class ObjectRepository:
    def __init__(
        self, store: ObjectStore, records: ControlRecords, master_keys: MasterKeys, lookout: Lookout, clock: Clock
    ) -> None:
        self._store = store
        self._records = records
        self._lookout = lookout
        self._clock = clock
        self._keyring = Keyring(store, master_keys, clock)
        self._manifests = RepositoryManifests(store, self._keyring)
        self._packs = PackReader(store)
        self._markers = CorruptionMarkers(store)
        self._refs: dict[tuple[str, str], list[BackupRef]] = {}
        """Where each backup lies, by session and id, as of the session's last listing."""

    async def sessions(self) -> list[str]:
        return await self._store.folders(layout.ROOT)

    async def list_backups(self, session: str) -> Listing:
        began_at = self._clock.monotonic()
        objects = await self._objects(session)
        ended_at = self._clock.monotonic()
        tombstone = await self._records.listed_tombstone(session, objects.tombstone)
        marked = {name: await self._marked_chunks(objects, name) for name in objects.generations}
        evidence = await asyncio.gather(
            *(self._evidence(session, ref, marked[ref.generation]) for ref in objects.backups)
        )
        rejected = tombstone.record is None and tombstone.fault is not None
        listing = make_listing(objects, evidence, tombstone=tombstone.record, tombstone_rejected=rejected)
        await self._lookout.seen(listing, began_at=began_at, ended_at=ended_at)
        return listing

    async def highest_epoch(self, session: str) -> int:
        """Names sort by epoch, so the first one that opens has the highest."""
        foreign = False
        for ref in (await self._objects(session)).backups:
            try:
                await self._manifests.summary(session, ref)
            except ForeignMasterKey:
                foreign = True
            except (DamagedRecord, NotFound):
                continue
            else:
                return ref.name.epoch
        if foreign:
            log.error("wrong_master_key", session=session)
            raise wrong_master_key()
        return 0

    async def manifest(self, session: str, backup: str) -> StoredManifest:
        for ref in await self._find(session, backup):
            try:
                return await self._manifests.full(session, ref)
            except (DamagedRecord, ForeignMasterKey):
                log.error("manifest_damaged", session=session, backup=backup, generation=ref.generation)
        raise _damaged("the backup's manifest is damaged")

    async def chunk(self, session: str, backup: str, sha256: str) -> bytes:
        failure: Exception | None = None
        for ref in await self._find(session, backup):
            try:
                return await self._chunk(session, ref, sha256)
            except (DamagedRecord, ForeignMasterKey) as error:
                failure = error
                await self._mark_corruption(session, ref, sha256)
        raise _damaged("a chunk of the backup is damaged") from failure

    async def known_chunks(self, listing: Listing, generation: str, key: DataKey) -> dict[str, ChunkLocation]:
        present = listing.objects.generations[generation]
        known: dict[str, ChunkLocation] = {}
        for entry in listing.readable_under(generation, key.name):
            try:
                manifest = await self._manifests.full(listing.session, entry.ref)
            except (DamagedRecord, ForeignMasterKey, NotFound):
                continue
            known.update((name, where) for name, where in manifest.chunks.items() if where.pack in present.packs)
        for name in await self._marked_chunks(listing.objects, generation):
            known.pop(name, None)
        return known

    async def data_key(self, listing: Listing) -> DataKey:
        copies = await self._manifests.key_copies(entry.ref for entry in listing.entries if entry.summary)
        return await self._keyring.current(listing.objects, copies, tombstoned_at=listing.tombstoned_at)

    async def rewrap_keys(self, listing: Listing) -> None:
        await self._keyring.rewrap_all(listing.objects)

    async def encrypt_chunk(self, session: str, key: DataKey, sha256: str, chunk: bytes) -> tuple[bytes, bool]:
        return await asyncio.to_thread(encrypt_chunk, key, session, sha256, chunk)

    async def write_pack(self, session: str, generation: str, key: DataKey, pack: ClosedPack, *, scrub: bool) -> None:
        await self._store.write(layout.pack(session, generation, pack.name), pack.data)
        pack.release()
        if scrub:
            await self._scrub(session, generation, key, pack)

    async def write_manifest(self, key: DataKey, manifest: StoredManifest) -> None:
        await self._manifests.write(key, manifest)

    async def write_proof(self, session: str, generation: str, backup: str, state: BackupState) -> None:
        await self._store.write(layout.proof(session, generation, backup, state), state.encode())

    async def verify_manifest(self, manifest: StoredManifest) -> None:
        for ref in (await self._objects(manifest.session)).find(manifest.backup):
            try:
                if await self._manifests.read_back(manifest.session, ref) == manifest:
                    return
            except DamagedRecord:
                continue
        raise Unavailable("the stored manifest does not read back", code=FailureCode.SCRUB_FAILED)

    async def remove_backups(self, session: str, refs: Sequence[BackupRef]) -> None:
        for ref in refs:
            await self._store.delete([ref.manifest.key])
            self._refs.pop((session, ref.id), None)
            await self._store.delete([layout.proof(session, ref.generation, ref.id, state) for state in ref.proofs])

    async def remove_generation(self, session: str, generation: str) -> bool:
        present = (await self._objects(session)).generations.get(generation)
        if present is None or present.backups:
            return present is None
        await self._store.delete([item.key for item in present.objects])
        return True

    async def remove_keys(self, session: str, names: Sequence[str]) -> None:
        await self._store.delete([layout.data_key(session, name) for name in names])

    async def _objects(self, session: str) -> SessionObjects:
        objects = parse_listing(session, await self._store.list_objects(layout.session_prefix(session)))
        for name in [name for name in self._refs if name[0] == session]:
            del self._refs[name]
        for ref in objects.backups:
            self._refs.setdefault((session, ref.id), []).append(ref)
        return objects

    async def _find(self, session: str, backup: str) -> Sequence[BackupRef]:
        """Where the backup lies; the store is asked only when that is not known. Raises NotFound."""
        if (session, backup) not in self._refs:
            await self._objects(session)
        refs = self._refs.get((session, backup))
        if not refs:
            raise NotFound("no such backup")
        return refs

    async def _evidence(self, session: str, ref: BackupRef, marked: frozenset[str]) -> Evidence:
        """`marked` are the chunks that the generation's corruption marker names."""
        try:
            summary = await self._manifests.summary(session, ref)
        except ForeignMasterKey:
            return Evidence(ref, None, foreign=True)
        except (DamagedRecord, NotFound):
            return Evidence(ref, None)
        if not marked:
            return Evidence(ref, summary)
        try:
            manifest = await self._manifests.full(session, ref)
        except (DamagedRecord, ForeignMasterKey, NotFound):
            return Evidence(ref, summary, damaged_chunks=None)
        return Evidence(ref, summary, damaged_chunks=marked.intersection(manifest.chunks))

    async def _marked_chunks(self, objects: SessionObjects, generation: str) -> frozenset[str]:
        marker = objects.generations[generation].corruption_marker
        return (await self._markers.read(marker)).chunks if marker else frozenset()

    async def _chunk(self, session: str, ref: BackupRef, sha256: str) -> bytes:
        """Read twice before it counts as damaged: a fault on the way is not damage in the store."""
        manifest = await self._manifests.full(session, ref)
        location = manifest.chunks.get(sha256)
        if location is None:
            raise NotFound("no such chunk in this backup")
        key = await self._manifests.key(session, ref)

        async def decrypted(record: bytes) -> bytes:
            return await asyncio.to_thread(decrypt_chunk, key, session, sha256, record, compressed=location.compressed)

        try:
            return await decrypted(await self._packs.record(session, ref, manifest, sha256))
        except DamagedRecord:
            return await decrypted(await self._packs.record_alone(session, ref.generation, location))

    async def _mark_corruption(self, session: str, ref: BackupRef, sha256: str) -> None:
        """Write the generation's corruption marker. Raises NotFound when retention has removed the backup since: then
        nothing is damaged."""
        objects = await self._objects(session)
        if all(present.manifest.key != ref.manifest.key for present in objects.find(ref.id)):
            raise NotFound("no such backup")
        log.error("chunk_damaged", session=session, backup=ref.id, generation=ref.generation)
        await self._markers.add(layout.corruption_marker(session, ref.generation), sha256)

    async def _scrub(self, session: str, generation: str, key: DataKey, pack: ClosedPack) -> None:
        """Read the pack back, one range at a time, and decrypt every record."""
        locations = pack.locations()
        by_range: dict[PackRange, dict[str, ChunkLocation]] = {}
        for chunk, range_ in ranges_of(locations, limit=_SCRUB_BYTES).items():
            by_range.setdefault(range_, {})[chunk] = locations[chunk]
        object_key = layout.pack(session, generation, pack.name)
        try:
            for range_, chunks in by_range.items():
                blob = await self._store.read(object_key, start=range_.start, length=range_.bytes)
                if blob is None:
                    raise DamagedRecord("a pack is missing")
                await asyncio.to_thread(_decrypt_all, key, session, chunks, range_.start, blob.data)
        except DamagedRecord as error:
            raise Unavailable("a stored pack does not read back", code=FailureCode.SCRUB_FAILED) from error


def _decrypt_all(key: DataKey, session: str, chunks: dict[str, ChunkLocation], start: int, data: bytes) -> None:
    for chunk, location in chunks.items():
        offset = location.offset - start
        record = data[offset : offset + location.bytes]
        decrypt_chunk(key, session, chunk, record, compressed=location.compressed)


def _damaged(message: str) -> NotFound:
    return NotFound(message, hint="an older backup may be whole", code=FailureCode.DAMAGED)
