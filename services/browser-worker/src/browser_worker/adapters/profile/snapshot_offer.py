"""Snapshots on offer to the backup service: which chunk lies where, while the offer is open.

Holds places, not bytes. The trap: a chunk is checked again when it is read, because its file may rot or go meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zstandard

from shared.contracts.errors import NotFound
from shared.contracts.message import encode
from shared.contracts.snapshots import CHUNK_BYTES, SnapshotManifest, digest, split

_LEVEL = 3


@dataclass(frozen=True)
class _Place:
    path: Path
    offset: int
    bytes: int


@dataclass(frozen=True)
class _Offer:
    manifest: dict[str, bytes]
    places: dict[str, _Place]
    folder: Path


class SnapshotOffers:
    def __init__(self) -> None:
        self._open: dict[str, _Offer] = {}

    @contextmanager
    def open(self, manifest: SnapshotManifest, profile: Path) -> Iterator[tuple[str, ...]]:
        """Offer the files in `profile`; gives the chunks of the compressed manifest, in order."""
        chunks = list(split(zstandard.ZstdCompressor(_LEVEL).compress(encode(manifest))))
        hashes = tuple(digest(chunk) for chunk in chunks)
        self._open[manifest.snapshot] = _Offer(
            dict(zip(hashes, chunks, strict=True)), _places(manifest, profile), profile.parent
        )
        try:
            yield hashes
        finally:
            self._open.pop(manifest.snapshot, None)

    @property
    def folders(self) -> frozenset[Path]:
        return frozenset(offer.folder for offer in self._open.values())

    def read(self, snapshot: str, sha256: str) -> bytes:
        """Raises NotFound, also when the file no longer holds what the manifest said."""
        offer = self._open.get(snapshot)
        if offer is None:
            raise NotFound("this snapshot is not on offer any more", hint="offer a new one")
        if sha256 in offer.manifest:
            return offer.manifest[sha256]
        place = offer.places.get(sha256)
        chunk = _read(place) if place else None
        if chunk is None or digest(chunk) != sha256:
            raise NotFound("the snapshot does not hold this chunk")
        return chunk


def _places(manifest: SnapshotManifest, profile: Path) -> dict[str, _Place]:
    return {
        sha256: _Place(profile / entry.path, start, min(CHUNK_BYTES, entry.bytes - start))
        for entry in manifest.files
        for sha256, start in zip(entry.chunks, range(0, entry.bytes, CHUNK_BYTES), strict=True)
    }


def _read(place: _Place) -> bytes | None:
    try:
        with place.path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), place.bytes, place.offset)
    except OSError:
        return None
