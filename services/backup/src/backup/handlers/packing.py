"""Records into packs, packs into the store while the next one fills.

The trap is memory: one pack fills, two are on their way, and `add` waits when both are.
"""

from __future__ import annotations

import asyncio

from backup.domain.packs import PACK_BYTES, ChunkSpot, ClosedPack, OpenPack
from backup.ports import DataKey, Shelf

_UPLOADS = 2


class Packing:
    def __init__(
        self, shelf: Shelf, session: str, generation: str, key: DataKey, *, scrub: bool, target: int = PACK_BYTES
    ) -> None:
        self._shelf = shelf
        self._session = session
        self._generation = generation
        self._key = key
        self._scrub = scrub
        self._target = target
        self._open = OpenPack(target)
        self._room = asyncio.Semaphore(_UPLOADS)
        self._uploads: list[asyncio.Task[None]] = []
        self.spots: dict[str, ChunkSpot] = {}
        self.packs: dict[str, int] = {}

    async def add(self, chunk: str, record: bytes, *, compressed: bool) -> None:
        """Raises what an upload raised before."""
        self._open.add(chunk, record, compressed=compressed)
        if self._open.full:
            await self._send()

    async def finish(self) -> None:
        """All packs are in the store when it returns."""
        if self._open:
            await self._send()
        await asyncio.gather(*self._uploads)

    async def abandon(self) -> None:
        for upload in self._uploads:
            upload.cancel()
        await asyncio.gather(*self._uploads, return_exceptions=True)

    async def _send(self) -> None:
        await self._room.acquire()
        for upload in self._uploads:
            if upload.done():
                upload.result()
        pack, self._open = self._open.close(), OpenPack(self._target)
        self.spots.update(pack.spots())
        self.packs[pack.name] = pack.bytes
        self._uploads.append(asyncio.create_task(self._upload(pack)))

    async def _upload(self, pack: ClosedPack) -> None:
        try:
            await self._shelf.write_pack(self._session, self._generation, self._key, pack, scrub=self._scrub)
        finally:
            pack.release()
            self._room.release()
