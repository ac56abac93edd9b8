"""Profiles made by hand: small but true LevelDB files, as LevelDB's own format documents describe them."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from browser_worker.adapters.profile.leveldb_check import masked_checksum

BLOCK = 32 * 1024
MAGIC = bytes.fromhex("57fb808b247547db")


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def text(value: bytes) -> bytes:
    return varint(len(value)) + value


def log_bytes(records: list[bytes]) -> bytes:
    out = bytearray()
    for record in records:
        out += _fragments(record, len(out))
    return bytes(out)


def _fragments(record: bytes, written: int) -> bytes:
    out, left, first = bytearray(), record, True
    while True:
        room = BLOCK - (written + len(out)) % BLOCK
        if room < 7:
            out += bytes(room)
            continue
        part, left = left[: room - 7], left[room - 7 :]
        kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not left]
        out += struct.pack("<IHB", masked_checksum(bytes([kind]) + part), len(part), kind) + part
        first = False
        if not left:
            return bytes(out)


def table_bytes(size: int) -> bytes:
    """A table of about `size` bytes with a data block, an empty meta index, an index and a footer."""
    out = bytearray(b"\x5a" * size)
    handles = b""
    for block in (b"\0\0\0\0\1\0\0\0", b"index of the data\0\0\0\0\1\0\0\0"):
        handles += varint(len(out)) + varint(len(block))
        out += block + b"\0" + masked_checksum(block + b"\0").to_bytes(4, "little")
    return bytes(out + handles.ljust(40, b"\0") + MAGIC)


def edit(
    *, log: int, following: int, sequence: int = 9, tables: dict[int, int] | None = None, gone: tuple[int, ...] = ()
) -> bytes:
    out = b"\x01" + text(b"idb_cmp1") + b"\x02" + varint(log) + b"\x03" + varint(following) + b"\x04" + varint(sequence)
    for number in gone:
        out += b"\x06" + varint(0) + varint(number)
    for number, size in (tables or {}).items():
        out += b"\x07" + varint(0) + varint(number) + varint(size) + text(b"a" * 9) + text(b"z" * 9)
    return out


def make_database(folder: Path, *, table_sizes: tuple[int, ...] = (5000,)) -> None:
    folder.mkdir(parents=True)
    tables = {5 + index: table_bytes(size) for index, size in enumerate(table_sizes)}
    for number, data in tables.items():
        (folder / f"{number:06d}.ldb").write_bytes(data)
    sizes = {number: len(data) for number, data in tables.items()}
    (folder / "MANIFEST-000001").write_bytes(log_bytes([edit(log=4, following=90, tables=sizes)]))
    (folder / "CURRENT").write_bytes(b"MANIFEST-000001\n")
    (folder / "000004.log").write_bytes(log_bytes([b"one write", b"w" * 50_000]))
    (folder / "LOCK").touch()
    (folder / "LOG").write_text("opened")


INDEXED_DB = "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb"


def make_profile(profile: Path, *, table_sizes: tuple[int, ...] = (5000, 600_000)) -> Path:
    """A profile with a login's files, caches and Chromium's locks; gives `profile` back."""
    make_database(profile / "Default/Local Storage/leveldb")
    make_database(profile / INDEXED_DB, table_sizes=table_sizes)
    make_database(profile / "Default/Session Storage", table_sizes=())
    (profile / "Default/Cookies").write_bytes(b"SQLite format 3\0" + b"c" * 4080)
    (profile / "Default/Preferences").write_text("{}")
    (profile / "Default/Cache/Cache_Data").mkdir(parents=True)
    (profile / "Default/Cache/Cache_Data/data_1").write_bytes(b"x" * 9000)
    (profile / "Local State").write_text("{}")
    (profile / "Last Version").write_text("156.0.8078.79")
    return profile


def age(profile: Path, seconds: float = 60.0) -> Path:
    """Make every file look as if it was written `seconds` ago."""
    for path in profile.rglob("*"):
        if path.is_file():
            status = path.stat()
            os.utime(path, (status.st_atime - seconds, status.st_mtime - seconds))
    return profile


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under `folder` by relative path."""
    return {os.fspath(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
