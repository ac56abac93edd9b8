"""What a stored manifest holds, how its envelope is framed, and what a snapshot must fulfil to be stored.

The envelope is a magic number, a length, a small clear header and the encrypted body. The header is a copy of the
wrapped data key, so a backup can be read after the key's own object is lost or damaged. The header is not secret and
not trusted; it only says which key to try.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from shared.contracts.message import Instant
from shared.contracts.snapshots import CHUNK_BYTES, BadPath, SnapshotManifest, safe_path

from .packs import ChunkLocation
from .records import DamagedRecord, decode_record, encode_record

FORMAT = 1
MAGIC = b"WABK"
_HEX = frozenset("0123456789abcdef")


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A data key, encrypted by the master key. `master` names the master key and reveals nothing of it."""

    format: int = FORMAT
    key: str
    master: str
    wrapped: bytes
    checksum: str = ""


class StoredManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The body. `manifest` is the snapshot's manifest as its owner sent it (zstd-compressed JSON); `packs` are the
    sizes of the packs that the backup needs; `content` is equal for snapshots with equal contents."""

    format: int = FORMAT
    session: str
    generation: str
    backup: str
    snapshot: str
    epoch: int
    sequence: int
    taken_at: Instant
    stored_at: Instant
    browser_version: str
    reason: str
    content: str
    total_bytes: int
    new_chunks: int
    new_bytes: int
    stored_bytes: int
    manifest: bytes
    packs: dict[str, int]
    chunks: dict[str, ChunkLocation]


class BadSnapshot(ValueError):
    """The offered snapshot contradicts itself. The text names the fault, never a file."""


def encode_key(wrapped: WrappedKey) -> bytes:
    return encode_record(wrapped)


def decode_key(data: bytes) -> WrappedKey:
    """Raises DamagedRecord."""
    return decode_record(data, WrappedKey, "a data key")


def frame(header: bytes, body: bytes) -> bytes:
    return MAGIC + len(header).to_bytes(4, "big") + header + body


def unframe(data: bytes) -> tuple[bytes, bytes]:
    """Header and body. Raises DamagedRecord."""
    length = int.from_bytes(data[4:8], "big")
    if data[:4] != MAGIC or len(data) < 8 + length:
        raise DamagedRecord("a manifest is damaged")
    return data[8 : 8 + length], data[8 + length :]


def content_of(manifest: SnapshotManifest) -> str:
    """Equal for snapshots with the same files, chunks and browser version, whenever they were taken."""
    summary = [
        manifest.browser_version,
        sorted((file.path, file.bytes, file.mode, list(file.chunks)) for file in manifest.files),
        sorted(manifest.directories),
    ]
    return hashlib.sha256(msgspec.json.encode(summary)).hexdigest()


def expected_chunks(manifest: SnapshotManifest) -> dict[str, int]:
    """Chunk → its size in bytes, in the order of the files. Raises BadSnapshot."""
    sizes: dict[str, int] = {}
    for file in manifest.files:
        for chunk, size in zip(file.chunks, chunk_sizes(file.bytes), strict=True):
            if sizes.setdefault(chunk, size) != size:
                raise BadSnapshot("one chunk has two sizes")
    return sizes


def chunk_sizes(file_bytes: int) -> Iterator[int]:
    """Sizes of the chunks of a file, in order."""
    for start in range(0, file_bytes, CHUNK_BYTES):
        yield min(CHUNK_BYTES, file_bytes - start)


def check(manifest: SnapshotManifest, *, session: str, snapshot: str, epoch: int, total_bytes: int) -> None:
    """Raises BadSnapshot when the manifest is not the offered one or could not be restored."""
    if (manifest.session, manifest.snapshot, manifest.epoch) != (session, snapshot, epoch):
        raise BadSnapshot("the manifest belongs to another session, snapshot or epoch")
    if manifest.total_bytes() != total_bytes:
        raise BadSnapshot("the manifest's size is not the offered one")
    if not manifest.files:
        raise BadSnapshot("the snapshot has no files")
    paths = [file.path for file in manifest.files]
    if len(set(paths)) != len(paths):
        raise BadSnapshot("a path is there twice")
    for path in (*paths, *manifest.directories):
        _check_path(path)
    for file in manifest.files:
        if file.bytes < 0 or len(file.chunks) != -(-file.bytes // CHUNK_BYTES):
            raise BadSnapshot("a file's chunks do not fit its size")
        if not all(is_chunk(chunk) for chunk in file.chunks):
            raise BadSnapshot("a chunk's name is no SHA-256")


def _check_path(path: str) -> None:
    try:
        safe_path(path)
    except BadPath as error:
        raise BadSnapshot(str(error)) from error


def is_chunk(text: str) -> bool:
    """True for a SHA-256 in lower-case hex."""
    return len(text) == 64 and set(text) <= _HEX
