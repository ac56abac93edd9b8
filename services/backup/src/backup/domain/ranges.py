"""Which range of a pack to read for a chunk.

A restore asks for one chunk after another, and their records lie in that order. Records of one backup that touch are
therefore read with one request, up to a limit; records that the backup does not need are never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .packs import ChunkLocation

RANGE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class PackRange:
    """`bytes` of the pack, from the offset `start`."""

    pack: str
    start: int
    bytes: int


def ranges_of(chunks: Mapping[str, ChunkLocation], *, limit: int = RANGE_BYTES) -> dict[str, PackRange]:
    """The range of each chunk; every record lies wholly in its own range."""
    found: dict[str, PackRange] = {}
    run: list[tuple[str, ChunkLocation]] = []
    for name, location in sorted(chunks.items(), key=lambda item: (item[1].pack, item[1].offset)):
        if run and not _fits(run, location, limit):
            _close(run, found)
            run = []
        run.append((name, location))
    _close(run, found)
    return found


def _fits(run: list[tuple[str, ChunkLocation]], location: ChunkLocation, limit: int) -> bool:
    first, last = run[0][1], run[-1][1]
    touches = location.pack == last.pack and location.offset == last.offset + last.bytes
    return touches and location.offset + location.bytes - first.offset <= limit


def _close(run: list[tuple[str, ChunkLocation]], found: dict[str, PackRange]) -> None:
    if not run:
        return
    first, last = run[0][1], run[-1][1]
    whole = PackRange(first.pack, first.offset, last.offset + last.bytes - first.offset)
    found.update((name, whole) for name, _ in run)
