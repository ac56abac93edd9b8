"""Building a profile in the staging folder, from a save or from a backup, with every chunk verified.

Never touches the live profile: a restore gives a finished, checked and durable folder, or raises. A manifest is foreign
input, so its paths, sizes and counts are checked before a byte is written.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from browser_worker.adapters.durable_files import open_new, private_folder, sync_tree
from browser_worker.adapters.profile.chunk_hashes import copy_verified
from browser_worker.adapters.uncancellable_calls import in_thread
from browser_worker.domain.profile_rules import travels
from browser_worker.ports import BrowserTooOld, ChunkSource, ProfileDamaged
from shared.clock import Clock
from shared.contracts.snapshots import (
    CHUNK_BYTES,
    BadPath,
    FileEntry,
    SnapshotManifest,
    digest,
    safe_path,
    version_key,
)
from shared.runtime import get_logger

from .check import check_profile

_AT_ONCE = 4
_REPORT_SECONDS = 5.0
_SPARE_BYTES = 16 * 1024 * 1024

log = get_logger()


@dataclass(frozen=True)
class _Chunk:
    """The file and the offset at which the bytes with this hash belong."""

    path: Path
    offset: int
    bytes: int
    sha256: str


def refuse_newer(manifest_version: str, browser_version: str) -> None:
    """An older browser loses the IndexedDB of a newer browser. Raises BrowserTooOld."""
    if version_key(manifest_version) > version_key(browser_version):
        raise BrowserTooOld(
            f"the copy was made by browser {manifest_version}, and this browser {browser_version} is older: "
            "use a browser of at least that version"
        )


def make_folders(manifest: SnapshotManifest, target: Path) -> None:
    """Make the folder of the profile, and the folders that the manifest names. Raises ProfileDamaged."""
    private_folder(target)
    for path in manifest.directories:
        try:
            private_folder(target / safe_path(path))
        except BadPath as error:
            raise ProfileDamaged(str(error)) from None


def checked_files(manifest: SnapshotManifest) -> list[FileEntry]:
    """The files to restore. Raises ProfileDamaged when the manifest contradicts itself."""
    seen: set[str] = set()
    for entry in manifest.files:
        try:
            safe_path(entry.path)
        except BadPath as error:
            raise ProfileDamaged(str(error)) from None
        if entry.path in seen or entry.bytes < 0 or len(entry.chunks) != -(-entry.bytes // CHUNK_BYTES):
            raise ProfileDamaged("the manifest contradicts itself")
        seen.add(entry.path)
    folders = {*manifest.directories}
    above = {os.fspath(parent) for path in seen | folders for parent in Path(path).parents}
    if seen & (above | folders):
        raise ProfileDamaged("the manifest contradicts itself")
    return [entry for entry in manifest.files if travels(entry.path)]


def require_free_space(folder: Path, wanted: int) -> None:
    """Raises OSError (ENOSPC) before anything is written. `wanted` in bytes."""
    if shutil.disk_usage(folder).free < wanted + _SPARE_BYTES:
        raise OSError(errno.ENOSPC, "not enough room on the disk for a second copy of the profile")


def finish_incoming(profile: Path) -> None:
    """Check the profile and make it durable, which is all that a swap asks of it. Raises ProfileDamaged, OSError."""
    check = check_profile(profile)
    if not check.valid:
        raise ProfileDamaged(f"the restored files are no whole profile: {check.explanation()}")
    sync_tree(profile)


def copy_save(source: Path, manifest: SnapshotManifest, target: Path) -> None:
    """Copy the files of a save into the new folder `target` and check every chunk. Raises ProfileDamaged, OSError."""
    files = checked_files(manifest)
    require_free_space(target.parent, sum(entry.bytes for entry in files))
    make_folders(manifest, target)
    for entry in files:
        private_folder((target / entry.path).parent)
        copy_verified(source / entry.path, target / entry.path, entry)
    finish_incoming(target)


class BackupFetch:
    """Fetches one backup into the new folder `target`, four chunks at a time."""

    def __init__(self, source: ChunkSource, target: Path, clock: Clock) -> None:
        self._source = source
        self.target = target
        self._clock = clock
        self._done = 0
        self._total = 0
        self._reported = clock.monotonic()

    async def run(self, manifest: SnapshotManifest) -> None:
        """Raises ProfileDamaged when a chunk is not what the manifest says, OSError, and the errors of the source."""
        files = checked_files(manifest)
        self._total = sum(entry.bytes for entry in files)
        require_free_space(self.target.parent, self._total)
        await in_thread(lambda: make_folders(manifest, self.target))
        await in_thread(lambda: self._make_files(files))
        await self._fetch_all(self._chunks(files))
        await in_thread(lambda: finish_incoming(self.target))
        log.info("restore_fetched", bytes=self._total, files=len(files))

    def _make_files(self, files: list[FileEntry]) -> None:
        for entry in files:
            path = self.target / entry.path
            private_folder(path.parent)
            with open_new(path) as file:
                file.truncate(entry.bytes)

    def _chunks(self, files: list[FileEntry]) -> Iterator[_Chunk]:
        for entry in files:
            for number, sha256 in enumerate(entry.chunks):
                offset = number * CHUNK_BYTES
                yield _Chunk(self.target / entry.path, offset, min(CHUNK_BYTES, entry.bytes - offset), sha256)

    async def _fetch_all(self, chunks: Iterator[_Chunk]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(self._fetch_some(chunks))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _fetch_some(self, chunks: Iterator[_Chunk]) -> None:
        for chunk in chunks:
            data = await self._source.chunk(chunk.sha256)
            await asyncio.to_thread(_write_chunk, chunk, data)
            self._done += chunk.bytes
            self._report()

    def _report(self) -> None:
        now = self._clock.monotonic()
        if now - self._reported >= _REPORT_SECONDS:
            self._reported = now
            log.info("restore_progress", bytes_done=self._done, bytes_total=self._total)


def _write_chunk(chunk: _Chunk, data: bytes) -> None:
    if len(data) != chunk.bytes or digest(data) != chunk.sha256:
        raise ProfileDamaged(f"a chunk of {chunk.path.name} is not what its manifest says")
    with chunk.path.open("r+b", buffering=0) as file:
        written = os.pwrite(file.fileno(), data, chunk.offset)
    if written != len(data):
        raise OSError(errno.ENOSPC, "the disk took only a part of a chunk")
