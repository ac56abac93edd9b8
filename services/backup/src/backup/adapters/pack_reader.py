"""Records out of packs, read a window at a time.

Knows the last few windows and those that are being read, so that the chunks of one window cost one request. The trap: a
damaged or cut window must not stay: what fails to open is read again by itself, past the windows.
"""

from __future__ import annotations

import asyncio

from backup.domain import layout
from backup.domain.epochs import Damaged
from backup.domain.inventory import BackupRef
from backup.domain.manifests import StoredManifest
from backup.domain.packs import ChunkSpot
from backup.domain.windows import Window, windows_of
from backup.ports import ObjectStore

from .recent import Recent

_WINDOWS = 4
_PLANS = 8


class PackReader:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._plans: Recent[dict[str, Window]] = Recent(_PLANS)
        self._windows: Recent[asyncio.Task[bytes]] = Recent(_WINDOWS)

    async def record(self, session: str, ref: BackupRef, manifest: StoredManifest, chunk: str) -> bytes:
        """Raises Damaged when the pack is missing; a short record is given as it is."""
        plan = self._plan(ref, manifest)
        window = plan[chunk]
        spot = manifest.chunks[chunk]
        data = await self._window(session, ref.generation, window)
        start = spot.offset - window.start
        return data[start : start + spot.bytes]

    async def record_alone(self, session: str, generation: str, spot: ChunkSpot) -> bytes:
        """The same from the store itself. Raises Damaged when the pack is missing."""
        return await self._read(session, generation, Window(spot.pack, spot.offset, spot.bytes))

    def _plan(self, ref: BackupRef, manifest: StoredManifest) -> dict[str, Window]:
        place = (ref.manifest.key, ref.manifest.etag)
        plan = self._plans.get(place)
        if plan is None:
            plan = windows_of(manifest.chunks)
            self._plans.put(place, plan)
        return plan

    async def _window(self, session: str, generation: str, window: Window) -> bytes:
        place = (layout.pack(session, generation, window.pack), f"{window.start}+{window.bytes}")
        task = self._windows.get(place)
        if task is None or _failed(task):
            task = asyncio.create_task(self._read(session, generation, window))
            task.add_done_callback(_failed)  # looked at, so that a failure nobody waited for is not reported
            self._windows.put(place, task)
        # one who gives up must not end it for the others
        return await asyncio.shield(task)

    async def _read(self, session: str, generation: str, window: Window) -> bytes:
        key = layout.pack(session, generation, window.pack)
        blob = await self._store.read(key, start=window.start, length=window.bytes)
        if blob is None:
            raise Damaged("a pack is missing")
        return blob.data


def _failed(task: asyncio.Task[bytes]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
