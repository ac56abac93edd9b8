"""A snapshot's manifest: its files, their chunks and hashes. Pure; `join(split(x)) == x`.

A backup stores the manifest and a restore checks it, so the manifest holds everything that is needed to refuse a bad
restore: sizes, the SHA-256 of every chunk, the browser's version, the owner's epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from .message import Instant, Message

CHUNK_BYTES = 512 * 1024
"""Size of every chunk but the last. The bus takes messages of 1 MiB, headers included."""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the snapshot. `path` is relative, with forward slashes; `chunks` are SHA-256 in hex, in order."""

    path: str
    bytes: int
    mode: int = 0o600
    chunks: tuple[str, ...] = ()


class SnapshotManifest(Message, frozen=True, kw_only=True, tag="wa.snapshot.v1.manifest"):
    session: str
    snapshot: str
    """Unique id of this snapshot."""
    epoch: int
    taken_at: Instant
    browser_version: str
    """Full version, such as 156.0.8078.79; an older browser must refuse the restore."""
    files: tuple[FileEntry, ...]
    page_version: str = ""
    directories: tuple[str, ...] = ()
    """Empty directories that must exist; Chromium makes the others."""

    def total_bytes(self) -> int:
        return sum(file.bytes for file in self.files)


class BadPath(ValueError):
    """A path in a manifest would leave the folder of the restore."""


def split(data: bytes) -> Iterator[bytes]:
    """Chunks of CHUNK_BYTES; the last chunk is shorter, and empty data has no chunks."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


def join(chunks: Iterator[bytes]) -> bytes:
    return b"".join(chunks)


def digest(chunk: bytes) -> str:
    """The name of a chunk: its SHA-256 in hex."""
    return hashlib.sha256(chunk).hexdigest()


def safe_path(path: str) -> str:
    """`path` when it stays inside its folder. Raises BadPath."""
    parts = path.split("/")
    if not path or "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise BadPath("a path in the manifest leaves the profile folder")
    return path


def version_key(version: str) -> tuple[int, ...]:
    """`156.0.8078.79` → (156, 0, 8078, 79), for comparisons; a part that is not a number counts as 0."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
