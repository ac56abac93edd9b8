"""The mark of a generation in which damage was found: its object `damaged`, listing the damaged chunks.

The trap: the mark can be damaged too. Then it still says that the generation must not be continued, and no more; every
chunk is verified when it is read.
"""

from __future__ import annotations

import msgspec
import structlog

from backup.domain.inventory import Listed
from backup.domain.manifests import is_chunk
from backup.ports import Blob, ObjectStore, Taken
from shared.contracts.errors import Unavailable

log = structlog.get_logger()


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    format: int = 1
    chunks: frozenset[str] = frozenset()


class Marks:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._read: dict[str, tuple[str, Mark]] = {}

    async def read(self, listed: Listed) -> Mark:
        known = self._read.get(listed.key)
        if known and known[0] == listed.etag:
            return known[1]
        mark = _parse(await self._store.read(listed.key))
        self._read[listed.key] = (listed.etag, mark)
        return mark

    async def add(self, key: str, chunk: str) -> None:
        """Best effort: damage that is not marked is found again at the next read."""
        try:
            for _ in range(5):
                if await self._try_to_add(key, chunk):
                    return
        except Unavailable:
            log.warning("damage_not_marked", key=key)

    async def _try_to_add(self, key: str, chunk: str) -> bool:
        blob = await self._store.read(key)
        mark = _parse(blob)
        if chunk in mark.chunks:
            return True
        data = msgspec.json.encode(Mark(chunks=mark.chunks | {chunk}), order="deterministic")
        try:
            if blob is None:
                await self._store.create(key, data)
            else:
                await self._store.replace(key, data, blob.etag)
        except Taken:
            return False
        return True


def _parse(blob: Blob | None) -> Mark:
    if blob is None:
        return Mark()
    try:
        mark = msgspec.json.decode(blob.data, type=Mark)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return Mark()
    return mark if all(is_chunk(chunk) for chunk in mark.chunks) else Mark()
