"""How records are laid one after another into packs.

A record is one encrypted chunk. A pack holds records and nothing between them; only manifests say where each record
lies. The module knows sizes and offsets, not what a record holds.
"""

from __future__ import annotations

import hashlib

import msgspec

PACK_BYTES = 8 * 1024 * 1024
"""A pack is closed once it has this many bytes, so it is at most one record longer."""


class ChunkLocation(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chunk lies. `bytes` is the record's length; `compressed` says whether zstd came before encryption."""

    pack: str
    offset: int
    bytes: int
    compressed: bool


class OpenPack:
    """A pack that is being filled."""

    def __init__(self, target: int = PACK_BYTES) -> None:
        self._target = target
        self._data: list[bytes] = []
        self._bytes = 0
        self.records: list[tuple[str, int, int, bool]] = []
        """Chunk, offset, length, compressed."""

    def add(self, chunk: str, record: bytes, *, compressed: bool) -> None:
        self.records.append((chunk, self._bytes, len(record), compressed))
        self._data.append(record)
        self._bytes += len(record)

    @property
    def full(self) -> bool:
        return self._bytes >= self._target

    def __bool__(self) -> bool:
        return bool(self.records)

    def close(self) -> ClosedPack:
        data = b"".join(self._data)
        self._data.clear()
        return ClosedPack(data, self.records)


class ClosedPack:
    """A whole pack, named by the SHA-256 of its bytes."""

    def __init__(self, data: bytes, records: list[tuple[str, int, int, bool]]) -> None:
        self.data = data
        self.bytes = len(data)
        self.records = records
        self.name = hashlib.sha256(data).hexdigest()

    def release(self) -> None:
        """Free the bytes; the locations of the records stay known."""
        self.data = b""

    def locations(self) -> dict[str, ChunkLocation]:
        return {
            chunk: ChunkLocation(pack=self.name, offset=offset, bytes=length, compressed=compressed)
            for chunk, offset, length, compressed in self.records
        }
