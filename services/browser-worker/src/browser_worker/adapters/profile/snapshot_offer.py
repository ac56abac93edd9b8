"""Snapshots on offer to the backup service: which part of which file each chunk is, while the offer is open.

Holds file names and offsets, no bytes. A chunk is hashed again when it is read, because its file may have changed or
gone since the manifest was made.
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
class _FilePart:
    path: Path
    offset: int
    bytes: int


@dataclass(frozen=True)
class _Offer:
    manifest: dict[str, bytes]
    parts: dict[str, _FilePart]
    folder: Path


class SnapshotOffers:
    def __init__(self) -> None:
        self._open: dict[str, _Offer] = {}

    @contextmanager
    def open(self, manifest: SnapshotManifest, profile: Path) -> Iterator[tuple[str, ...]]:
        """Offer the files in `profile`. Gives the hashes of the chunks of the compressed manifest, in order."""
        chunks = list(split(zstandard.ZstdCompressor(_LEVEL).compress(encode(manifest))))
        hashes = tuple(digest(chunk) for chunk in chunks)
        self._open[manifest.snapshot] = _Offer(
            dict(zip(hashes, chunks, strict=True)), _parts(manifest, profile), profile.parent
        )
        try:
            yield hashes
        finally:
            self._open.pop(manifest.snapshot, None)

    @property
    def folders(self) -> frozenset[Path]:
        return frozenset(offer.folder for offer in self._open.values())

    def read(self, snapshot: str, sha256: str) -> bytes:
        """Raises NotFound, also when the file no longer holds what the manifest says."""
        offer = self._open.get(snapshot)
        if offer is None:
            raise NotFound("this snapshot is not on offer any more", hint="offer a new one")
        if sha256 in offer.manifest:
            return offer.manifest[sha256]
        part = offer.parts.get(sha256)
        chunk = _read(part) if part else None
        if chunk is None or digest(chunk) != sha256:
            raise NotFound("the snapshot does not hold this chunk")
        return chunk


def _parts(manifest: SnapshotManifest, profile: Path) -> dict[str, _FilePart]:
    return {
        sha256: _FilePart(profile / entry.path, start, min(CHUNK_BYTES, entry.bytes - start))
        for entry in manifest.files
        for sha256, start in zip(entry.chunks, range(0, entry.bytes, CHUNK_BYTES), strict=True)
    }


def _read(part: _FilePart) -> bytes | None:
    try:
        with part.path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), part.bytes, part.offset)
    except OSError:
        return None
