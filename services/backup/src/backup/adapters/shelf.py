"""Backups of sessions on an object store: what is there, and how it is read and written.

Knows the layout, the cipher and the caches. Manifests are immutable, so one that was read is kept by key and ETag. The
trap: only the listing says what exists, and only a successful decryption says that it is good; neither is remembered
longer than the object that it was learned from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from backup.domain import layout
from backup.domain.epochs import Damaged, Grave, read_grave
from backup.domain.inventory import BackupRef, Inventory, take_stock
from backup.domain.manifests import StoredManifest
from backup.domain.packs import ChunkSpot, ClosedPack
from backup.domain.retention import BAD, CLEARED, DRILLED, FOREIGN, SCRUBBED, STORED
from backup.domain.windows import Window, windows_of
from backup.ports import Catalogue, DataKey, ObjectStore, Shelved, Summary
from shared.clock import Clock
from shared.contracts.errors import NotFound, Unavailable

from .encryption import ForeignKey, Vault, open_chunk, seal_chunk
from .keyring import Keyring
from .marks import Mark, Marks
from .pack_reader import PackReader
from .shelved_manifests import ShelvedManifests

log = structlog.get_logger()
_SCRUB_BYTES = 2 * 1024 * 1024
"""Read back at a time; two packs may be read back at once."""


class ObjectShelf:
    def __init__(self, store: ObjectStore, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._keyring = Keyring(store, vault, clock)
        self._manifests = ShelvedManifests(store, self._keyring)
        self._packs = PackReader(store)
        self._marks = Marks(store)
        self._places: dict[tuple[str, str], list[BackupRef]] = {}

    async def sessions(self) -> list[str]:
        return await self._store.folders(layout.ROOT)

    async def catalogue(self, session: str) -> Catalogue:
        inventory = await self._inventory(session)
        grave, grave_damaged = await self._grave(inventory)
        summaries = await asyncio.gather(*(self._summary(inventory, ref) for ref in inventory.backups))
        self._refuse_foreign(inventory, summaries)
        marks = {
            generation.name: await self._marks.read(generation.damaged)
            for generation in inventory.generations.values()
            if generation.damaged
        }
        backups = [
            await self._shelve(inventory, ref, summary, grave, marks)
            for ref, summary in zip(inventory.backups, summaries, strict=True)
        ]
        damaged = {item.ref.generation for item in backups if item.state == BAD} | set(marks)
        return Catalogue(inventory, tuple(backups), grave, grave_damaged, frozenset(damaged))

    async def manifest(self, session: str, backup: str) -> StoredManifest:
        for ref in await self._find(session, backup):
            try:
                return await self._manifests.full(session, ref)
            except (Damaged, ForeignKey):
                log.error("manifest_damaged", session=session, backup=backup, generation=ref.generation)
        raise _damaged("the backup's manifest is damaged")

    async def chunk(self, session: str, backup: str, sha256: str) -> bytes:
        failure: Exception | None = None
        for ref in await self._find(session, backup):
            try:
                return await self._chunk(session, ref, sha256)
            except (Damaged, ForeignKey) as error:
                failure = error
                await self._note_damage(session, ref, sha256)
        raise _damaged("a chunk of the backup is damaged") from failure

    async def known_chunks(self, catalogue: Catalogue, generation: str, key: DataKey) -> dict[str, ChunkSpot]:
        session = catalogue.inventory.session
        present = catalogue.inventory.generations[generation]
        known: dict[str, ChunkSpot] = {}
        for item in catalogue.backups:
            if item.ref.generation != generation or item.summary is None or item.summary.key != key.name:
                continue
            try:
                manifest = await self._manifests.full(session, item.ref)
            except (Damaged, ForeignKey, NotFound):
                continue
            known.update((name, spot) for name, spot in manifest.chunks.items() if spot.pack in present.packs)
        for name in (await self._marks.read(present.damaged)).chunks if present.damaged else ():
            known.pop(name, None)
        return known

    async def data_key(self, catalogue: Catalogue) -> DataKey:
        buried = catalogue.grave.tombstoned_at if catalogue.grave else None
        copies = await self._manifests.key_copies(item.ref for item in catalogue.backups if item.summary)
        return await self._keyring.present(catalogue.inventory, copies, buried=buried)

    async def seal(self, session: str, key: DataKey, sha256: str, chunk: bytes) -> tuple[bytes, bool]:
        return await asyncio.to_thread(seal_chunk, key, session, sha256, chunk)

    async def write_pack(self, session: str, generation: str, key: DataKey, pack: ClosedPack, *, scrub: bool) -> None:
        await self._store.write(layout.pack(session, generation, pack.name), pack.data)
        pack.release()
        if scrub:
            await self._scrub(session, generation, key, pack)

    async def write_manifest(self, key: DataKey, manifest: StoredManifest) -> None:
        await self._manifests.write(key, manifest)

    async def prove(self, session: str, generation: str, backup: str, state: str) -> None:
        await self._store.write(layout.proof(session, generation, backup, state), state.encode())

    async def read_back(self, manifest: StoredManifest) -> None:
        for ref in (await self._inventory(manifest.session)).find(manifest.backup):
            try:
                if await self._manifests.full(manifest.session, ref, fresh=True) == manifest:
                    return
            except Damaged:
                continue
        raise Unavailable("the stored manifest does not read back", code="scrub_failed")

    async def forget(self, refs: Sequence[BackupRef]) -> None:
        for ref in refs:
            await self._store.delete([ref.manifest.key])
            session = ref.manifest.key.split("/")[1]
            self._places.pop((session, ref.id), None)
            await self._store.delete([layout.proof(session, ref.generation, ref.id, state) for state in ref.proofs])

    async def drop_generation(self, session: str, generation: str) -> bool:
        present = (await self._inventory(session)).generations.get(generation)
        if present is None or present.backups:
            return present is None
        await self._store.delete([item.key for item in present.objects])
        return True

    async def drop_keys(self, session: str, names: Sequence[str]) -> None:
        await self._store.delete([layout.data_key(session, name) for name in names])

    async def _inventory(self, session: str) -> Inventory:
        inventory = take_stock(session, await self._store.listing(layout.session_prefix(session)))
        for place in [place for place in self._places if place[0] == session]:
            del self._places[place]
        for ref in inventory.backups:
            self._places.setdefault((session, ref.id), []).append(ref)
        return inventory

    async def _find(self, session: str, backup: str) -> list[BackupRef]:
        """Where it lies; the store is asked only when that is not known. Raises NotFound."""
        if (session, backup) not in self._places:
            await self._inventory(session)
        refs = self._places.get((session, backup))
        if not refs:
            raise NotFound("no such backup")
        return refs

    async def _grave(self, inventory: Inventory) -> tuple[Grave | None, bool]:
        if inventory.tombstone is None:
            return None, False
        blob = await self._store.read(inventory.tombstone.key)
        try:
            return (read_grave(blob.data), False) if blob else (None, False)
        except Damaged:
            log.error("tombstone_damaged", session=inventory.session)
            return None, True

    async def _summary(self, inventory: Inventory, ref: BackupRef) -> Summary | ForeignKey | None:
        try:
            return await self._manifests.summary(inventory.session, ref)
        except ForeignKey as error:
            return error
        except (Damaged, NotFound):
            return None

    def _refuse_foreign(self, inventory: Inventory, summaries: Sequence[Summary | ForeignKey | None]) -> None:
        """All backups under a master key that is not ours is a wrong setting, not damage: nothing is known then."""
        if summaries and all(isinstance(summary, ForeignKey) for summary in summaries):
            log.error("wrong_master_key", session=inventory.session)
            raise Unavailable(
                "the backups were made with another master key",
                hint="give the old one as MASTER_KEY_PREVIOUS",
                code="wrong_master_key",
            )

    async def _shelve(
        self,
        inventory: Inventory,
        ref: BackupRef,
        found: Summary | ForeignKey | None,
        grave: Grave | None,
        marks: dict[str, Mark],
    ) -> Shelved:
        summary = None if isinstance(found, ForeignKey) else found
        if grave is not None and ref.name.epoch <= grave.epoch:
            return Shelved(ref, CLEARED, summary)
        if isinstance(found, ForeignKey):
            return Shelved(ref, FOREIGN, None)
        if summary is None or not _packs_are_there(inventory, ref, summary):
            return Shelved(ref, BAD, summary)
        mark = marks.get(ref.generation)
        if mark is not None and mark.chunks and await self._is_hit(inventory.session, ref, mark):
            return Shelved(ref, BAD, summary)
        state = next((state for state in (DRILLED, SCRUBBED) if state in ref.proofs), STORED)
        return Shelved(ref, state, summary)

    async def _is_hit(self, session: str, ref: BackupRef, mark: Mark) -> bool:
        try:
            return not mark.chunks.isdisjoint((await self._manifests.full(session, ref)).chunks)
        except (Damaged, ForeignKey, NotFound):
            return True

    async def _chunk(self, session: str, ref: BackupRef, sha256: str) -> bytes:
        """Read twice before it counts as damaged: a fault on the way is not one in the store."""
        manifest = await self._manifests.full(session, ref)
        spot = manifest.chunks.get(sha256)
        if spot is None:
            raise NotFound("no such chunk in this backup")
        key = await self._manifests.key(session, ref)

        async def opened(record: bytes) -> bytes:
            return await asyncio.to_thread(open_chunk, key, session, sha256, record, compressed=spot.compressed)

        try:
            return await opened(await self._packs.record(session, ref, manifest, sha256))
        except Damaged:
            return await opened(await self._packs.record_alone(session, ref.generation, spot))

    async def _note_damage(self, session: str, ref: BackupRef, sha256: str) -> None:
        """Mark the generation, unless the backup was removed meanwhile (then nothing is damaged)."""
        inventory = await self._inventory(session)
        if all(present.manifest.key != ref.manifest.key for present in inventory.find(ref.id)):
            raise NotFound("no such backup")
        log.error("chunk_damaged", session=session, backup=ref.id, generation=ref.generation)
        await self._marks.add(layout.damaged(session, ref.generation), sha256)

    async def _scrub(self, session: str, generation: str, key: DataKey, pack: ClosedPack) -> None:
        """Read the pack back a window at a time and open every record."""
        spots = pack.spots()
        by_window: dict[Window, list[str]] = {}
        for chunk, window in windows_of(spots, limit=_SCRUB_BYTES).items():
            by_window.setdefault(window, []).append(chunk)
        try:
            for window, chunks in by_window.items():
                blob = await self._store.read(
                    layout.pack(session, generation, pack.name), start=window.start, length=window.bytes
                )
                if blob is None:
                    raise Damaged("a pack is missing")
                wanted = {chunk: spots[chunk] for chunk in chunks}
                await asyncio.to_thread(_open_all, key, session, wanted, window.start, blob.data)
        except Damaged as error:
            raise Unavailable("a stored pack does not read back", code="scrub_failed") from error


def _open_all(key: DataKey, session: str, spots: dict[str, ChunkSpot], start: int, data: bytes) -> None:
    for chunk, spot in spots.items():
        place = spot.offset - start
        open_chunk(key, session, chunk, data[place : place + spot.bytes], compressed=spot.compressed)


def _packs_are_there(inventory: Inventory, ref: BackupRef, summary: Summary) -> bool:
    present = inventory.generations[ref.generation].packs
    return all(present.get(name) == size for name, size in summary.packs.items())


def _damaged(message: str) -> NotFound:
    return NotFound(message, hint="an older backup may be whole", code="damaged")
