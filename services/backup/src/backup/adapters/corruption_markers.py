"""The corruption marker of a generation: the object that lists the chunks in which damage was found.

A marker can be damaged too. It then only says that the generation must not be continued; every chunk is verified when
it is read, whatever a marker says.
"""

from __future__ import annotations

import msgspec
import structlog

from backup.adapters.conditional_write import write_over
from backup.domain.listing import ListedObject
from backup.domain.manifests import is_chunk
from backup.ports import Blob, ObjectStore
from shared.contracts.errors import Unavailable

log = structlog.get_logger()
_TRIES = 5


class CorruptionMarker(msgspec.Struct, frozen=True, kw_only=True):
    format: int = 1
    chunks: frozenset[str] = frozenset()


class CorruptionMarkers:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: dict[str, tuple[str, CorruptionMarker]] = {}
        """Key → ETag and marker."""

    async def read(self, listed: ListedObject) -> CorruptionMarker:
        known = self._known.get(listed.key)
        if known and known[0] == listed.etag:
            return known[1]
        marker = _decode(await self._store.read(listed.key))
        self._known[listed.key] = (listed.etag, marker)
        return marker

    async def add(self, key: str, chunk: str) -> None:
        """Best effort: damage without a marker is found again at the next read."""
        try:
            for _ in range(_TRIES):
                if await self._try_to_add(key, chunk):
                    return
        except Unavailable:
            log.warning("corruption_marker_not_written", key=key)

    async def _try_to_add(self, key: str, chunk: str) -> bool:
        blob = await self._store.read(key)
        marker = _decode(blob)
        if chunk in marker.chunks:
            return True
        data = msgspec.json.encode(CorruptionMarker(chunks=marker.chunks | {chunk}), order="deterministic")
        return await write_over(self._store, key, blob, data)


def _decode(blob: Blob | None) -> CorruptionMarker:
    if blob is None:
        return CorruptionMarker()
    try:
        marker = msgspec.json.decode(blob.data, type=CorruptionMarker)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return CorruptionMarker()
    return marker if all(is_chunk(chunk) for chunk in marker.chunks) else CorruptionMarker()
