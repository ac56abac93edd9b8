"""Records out of packs, read one range at a time.

The reader remembers the last few ranges and those that are being read, so the chunks of one range cost one request.
A damaged or cut range must not serve twice: a record that does not decrypt is read again alone, past the cache.
"""

from __future__ import annotations

import asyncio

from cachetools import LRUCache

from backup.domain import layout
from backup.domain.listing import BackupRef
from backup.domain.manifests import StoredManifest
from backup.domain.packs import ChunkLocation
from backup.domain.ranges import PackRange, ranges_of
from backup.domain.records import DamagedRecord
from backup.ports import ObjectStore

_RANGES = 4
_PLANS = 8


class PackReader:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._plans: LRUCache[tuple[str, str], dict[str, PackRange]] = LRUCache(_PLANS)
        """The range of each chunk, by backup."""
        self._ranges: LRUCache[tuple[str, PackRange], asyncio.Task[bytes]] = LRUCache(_RANGES)

    async def record(self, session: str, ref: BackupRef, manifest: StoredManifest, chunk: str) -> bytes:
        """A record that the store cut short is given as it is. Raises DamagedRecord when the pack is missing."""
        range_ = self._plan(ref, manifest)[chunk]
        location = manifest.chunks[chunk]
        data = await self._range(session, ref.generation, range_)
        start = location.offset - range_.start
        return data[start : start + location.bytes]

    async def record_alone(self, session: str, generation: str, location: ChunkLocation) -> bytes:
        """The record from the store, past the cache. Raises DamagedRecord when the pack is missing."""
        return await self._read(session, generation, PackRange(location.pack, location.offset, location.bytes))

    def _plan(self, ref: BackupRef, manifest: StoredManifest) -> dict[str, PackRange]:
        version = (ref.manifest.key, ref.manifest.etag)
        plan = self._plans.get(version)
        if plan is None:
            plan = ranges_of(manifest.chunks)
            self._plans[version] = plan
        return plan

    async def _range(self, session: str, generation: str, range_: PackRange) -> bytes:
        name = (layout.pack(session, generation, range_.pack), range_)
        task = self._ranges.get(name)
        if task is None or _failed(task):
            task = asyncio.create_task(self._read(session, generation, range_))
            task.add_done_callback(_failed)  # fetches the exception: asyncio logs one that nobody fetched
            self._ranges[name] = task
        # A caller who gives up must not end the read of the others.
        return await asyncio.shield(task)

    async def _read(self, session: str, generation: str, range_: PackRange) -> bytes:
        key = layout.pack(session, generation, range_.pack)
        blob = await self._store.read(key, start=range_.start, length=range_.bytes)
        if blob is None:
            raise DamagedRecord("a pack is missing")
        return blob.data


def _failed(task: asyncio.Task[bytes]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
