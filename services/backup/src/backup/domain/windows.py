"""Which stretch of a pack to read for a chunk.

A restore asks for one chunk after another, and their records lie in that order. So records of one backup that touch are
read together, up to a limit; records that the backup does not need are never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .packs import ChunkSpot

WINDOW_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Window:
    """`bytes` from `start` of the pack."""

    pack: str
    start: int
    bytes: int


def windows_of(chunks: Mapping[str, ChunkSpot], *, limit: int = WINDOW_BYTES) -> dict[str, Window]:
    """The window of each chunk; every record lies wholly in its own."""
    found: dict[str, Window] = {}
    run: list[tuple[str, ChunkSpot]] = []
    for name, spot in sorted(chunks.items(), key=lambda item: (item[1].pack, item[1].offset)):
        if run and not _fits(run, spot, limit):
            _close(run, found)
            run = []
        run.append((name, spot))
    _close(run, found)
    return found


def _fits(run: list[tuple[str, ChunkSpot]], spot: ChunkSpot, limit: int) -> bool:
    first, last = run[0][1], run[-1][1]
    touches = spot.pack == last.pack and spot.offset == last.offset + last.bytes
    return touches and spot.offset + spot.bytes - first.offset <= limit


def _close(run: list[tuple[str, ChunkSpot]], found: dict[str, Window]) -> None:
    if not run:
        return
    first, last = run[0][1], run[-1][1]
    window = Window(first.pack, first.offset, last.offset + last.bytes - first.offset)
    found.update((name, window) for name, _ in run)
