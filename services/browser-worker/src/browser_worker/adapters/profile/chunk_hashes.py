"""The hashes of a snapshot's files, chunk by chunk, and the check of a file against them.

A finished LevelDB table never changes, so its hashes are remembered by inode, size and time of change. They are not
remembered by path, because a table of the same name may hold other bytes after a restore. One chunk is in memory at a
time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from browser_worker.adapters.durable_files import open_new, write_all
from browser_worker.adapters.profile.snapshot_clone import read_tree
from browser_worker.domain.profile_rules import Kind, kind_of
from browser_worker.ports import ProfileDamaged
from shared.contracts.snapshots import CHUNK_BYTES, FileEntry, SnapshotManifest, digest

_Identity = tuple[int, int, int, int]


def chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def copy_verified(source: Path, target: Path, entry: FileEntry) -> None:
    """Copy a file into the new file `target` and check every chunk. Raises ProfileDamaged, OSError."""
    with open_new(target) as writer:
        hashes = []
        for chunk in chunks_of(source):
            hashes.append(digest(chunk))
            write_all(writer.fileno(), chunk)
    if tuple(hashes) != entry.chunks or target.stat().st_size != entry.bytes:
        raise ProfileDamaged(f"{entry.path} is not what its manifest says")


class ChunkHashes:
    """Remembers the tables of its newest manifest, and no others."""

    def __init__(self) -> None:
        self._tables: dict[_Identity, tuple[str, ...]] = {}

    def manifest(
        self,
        folder: Path,
        *,
        session: str,
        snapshot: str,
        epoch: int,
        taken_at: datetime,
        browser_version: str,
        page_version: str,
    ) -> SnapshotManifest:
        """The manifest of the copy in `folder`. Reads every file, finished tables that are remembered excepted."""
        seen: dict[_Identity, tuple[str, ...]] = {}
        files = read_tree(folder).files
        entries = [self._entry(folder, path, files[path], seen) for path in sorted(files)]
        self._tables = seen
        return SnapshotManifest(
            session=session,
            snapshot=snapshot,
            epoch=epoch,
            taken_at=taken_at,
            browser_version=browser_version,
            page_version=page_version,
            files=tuple(entries),
        )

    def _entry(
        self, folder: Path, path: str, status: os.stat_result, seen: dict[_Identity, tuple[str, ...]]
    ) -> FileEntry:
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        chunks = self._tables.get(identity) if kind_of(path) is Kind.FINISHED else None
        if chunks is None:
            chunks = tuple(digest(chunk) for chunk in chunks_of(folder / path))
        if kind_of(path) is Kind.FINISHED:
            seen[identity] = chunks
        return FileEntry(path=path, bytes=status.st_size, chunks=chunks)
