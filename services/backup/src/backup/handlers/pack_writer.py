"""Records into packs; a full pack goes to the store while the next one fills.

Memory stays bounded: one pack fills and two are being uploaded, and `add` waits while both uploads are under way.
"""

from __future__ import annotations

import asyncio

from backup.domain.packs import PACK_BYTES, ChunkLocation, ClosedPack, OpenPack
from backup.ports import DataKey, Repository

_UPLOADS = 2


class PackWriter:
    """`locations` and `packs` (name → bytes) are complete once `finish` has returned."""

    def __init__(
        self,
        repository: Repository,
        session: str,
        generation: str,
        key: DataKey,
        *,
        scrub: bool,
        target: int = PACK_BYTES,
    ) -> None:
        self._repository = repository
        self._session = session
        self._generation = generation
        self._key = key
        self._scrub = scrub
        self._target = target
        self._open = OpenPack(target)
        self._slots = asyncio.Semaphore(_UPLOADS)
        self._uploads: list[asyncio.Task[None]] = []
        self.locations: dict[str, ChunkLocation] = {}
        self.packs: dict[str, int] = {}

    async def add(self, chunk: str, record: bytes, *, compressed: bool) -> None:
        """Raises the error of an earlier upload."""
        self._open.add(chunk, record, compressed=compressed)
        if self._open.full:
            await self._start_upload()

    async def finish(self) -> None:
        """All packs are in the store when it returns."""
        if self._open:
            await self._start_upload()
        await asyncio.gather(*self._uploads)

    async def cancel(self) -> None:
        """End the uploads under way; without any it does nothing."""
        for upload in self._uploads:
            upload.cancel()
        await asyncio.gather(*self._uploads, return_exceptions=True)

    async def _start_upload(self) -> None:
        await self._slots.acquire()
        for upload in self._uploads:
            if upload.done():
                upload.result()
        pack, self._open = self._open.close(), OpenPack(self._target)
        self.locations.update(pack.locations())
        self.packs[pack.name] = pack.bytes
        self._uploads.append(asyncio.create_task(self._upload(pack)))

    async def _upload(self, pack: ClosedPack) -> None:
        try:
            await self._repository.write_pack(self._session, self._generation, self._key, pack, scrub=self._scrub)
        finally:
            pack.release()
            self._slots.release()
