"""Offline check of a LevelDB folder: would the browser open it, with all tables there and whole?

Reads CURRENT, the manifest, the logs, and the footer and index of each table; never the data blocks. Knows nothing of
WhatsApp. The formats are those of LevelDB's own documents (log_format.md, table_format.md, and version_edit.cc for the
manifest).

Two findings are no damage. A torn tail of a log or manifest is normal, because LevelDB recovers from it; a fault before
the tail is damage. And a database that a browser writes during the check changes under the reader, so a fault counts
only when the manifest was the same before and after the look.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import google_crc32c

_BLOCK_BYTES = 32 * 1024
_HEADER = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_FOOTER_BYTES = 48
_TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
_TRAILER_BYTES = 5
_MAX_INDEX_BYTES = 64 * 1024 * 1024
_LOOKS = 5
_CURRENT = re.compile(rb"(MANIFEST-\d+)\n")


class DamagedDatabase(Exception):
    """The text names a file and its fault, never contents."""


@dataclass
class Version:
    """The newest state in the manifest. `tables` maps (level, file number) to bytes."""

    tables: dict[tuple[int, int], int] = field(default_factory=dict)
    log_number: int | None = None
    next_file: int | None = None
    last_sequence: int | None = None


def check_database(folder: Path) -> list[str]:
    """The faults of the LevelDB in `folder`; empty when a browser would open it whole."""
    problems: list[str] = []
    for _ in range(_LOOKS):
        before = _signature(folder)
        problems = _faults(folder)
        if not problems or before == _signature(folder):
            break
    return problems


def never_opened(folder: Path) -> bool:
    """Whether the folder holds no database yet. Chromium makes some folders long before it needs them."""
    return not any(re.fullmatch(r"CURRENT|MANIFEST-\d+|\d+\.(ldb|sst|log)", name) for name in _names(folder))


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def _signature(folder: Path) -> frozenset[tuple[str, int, int]]:
    """A value that changes with each new version of the database."""
    found = []
    for name in _names(folder):
        if name == "CURRENT" or name.startswith("MANIFEST-"):
            try:
                status = (folder / name).stat()
            except FileNotFoundError:
                continue
            found.append((name, status.st_size, status.st_mtime_ns))
    return frozenset(found)


def _faults(folder: Path) -> list[str]:
    try:
        manifest = _current_manifest(folder)
        version = _read_version(manifest)
    except DamagedDatabase as damage:
        return [str(damage)]
    names = _names(folder)
    return [*_table_faults(folder, version, names), *_log_faults(folder, version, names)]


def _current_manifest(folder: Path) -> Path:
    try:
        text = (folder / "CURRENT").read_bytes()
    except OSError as error:
        raise DamagedDatabase(
            "CURRENT is missing" if isinstance(error, FileNotFoundError) else "CURRENT is unreadable"
        ) from None
    match = _CURRENT.fullmatch(text)
    if not match:
        raise DamagedDatabase("CURRENT is empty" if not text else "CURRENT names no manifest")
    return folder / match[1].decode()


def _read_version(manifest: Path) -> Version:
    version = Version()
    try:
        with manifest.open("rb") as file:
            for record in records(file, manifest.name):
                _apply(record, version, manifest.name)
    except OSError as error:
        state = "is missing" if isinstance(error, FileNotFoundError) else "is unreadable"
        raise DamagedDatabase(f"{manifest.name} {state}") from None
    if None in (version.log_number, version.next_file, version.last_sequence):
        raise DamagedDatabase(f"{manifest.name} is cut short")
    return version


def records(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The records of a LevelDB log up to a torn tail. Raises DamagedDatabase for a fault before the tail.

    A block that is short ends the log, even when a browser that writes it has made the file longer by the next read:
    what is then read would begin in the middle of a block.
    """
    parts: list[bytes] | None = None
    block = bytes(_BLOCK_BYTES)
    while len(block) == _BLOCK_BYTES:
        block = file.read(_BLOCK_BYTES)
        for kind, payload in _fragments(block, name):
            if (kind in (_MIDDLE, _LAST)) != (parts is not None):
                raise DamagedDatabase(f"{name} is damaged: a record is out of order")
            parts = [*(parts or []), payload]
            if kind in (_FULL, _LAST):
                yield b"".join(parts)
                parts = None


def _fragments(block: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _HEADER.size <= len(block):
        checksum, length, kind = _HEADER.unpack_from(block, at)
        end = at + _HEADER.size + length
        if kind == 0 and length == 0:
            return
        if end > len(block):
            if len(block) < _BLOCK_BYTES:
                return
            raise DamagedDatabase(f"{name} is damaged: a record leaves its block")
        if kind > _LAST or checksum != masked_checksum(block[at + 6 : end]):
            raise DamagedDatabase(f"{name} is damaged: a record has a wrong checksum")
        yield kind, block[at + _HEADER.size : end]
        at = end


def masked_checksum(data: bytes) -> int:
    """CRC32C as LevelDB stores it."""
    plain = int(google_crc32c.value(data))
    return (((plain >> 15) | (plain << 17)) + 0xA282EAD8) & 0xFFFFFFFF


class _Edit:
    """Reads the fields of one version edit."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def more(self) -> bool:
        return self._at < len(self._data)

    def number(self) -> int:
        result = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result

    def skip_text(self) -> None:
        length = self.number()
        if self._at + length > len(self._data):
            raise IndexError
        self._at += length


def _apply(record: bytes, version: Version, name: str) -> None:
    """Apply one edit to `version`. An edit that moves a table both removes it and adds it."""
    edit = _Edit(record)
    removed: list[tuple[int, int]] = []
    added: dict[tuple[int, int], int] = {}
    try:
        while edit.more:
            _read_field(edit, version, removed, added)
    except IndexError:
        raise DamagedDatabase(f"{name} is damaged: an edit is cut") from None
    except ValueError:
        raise DamagedDatabase(f"{name} is damaged: an edit has an unknown field") from None
    for table in removed:
        version.tables.pop(table, None)
    version.tables.update(added)


def _read_field(
    edit: _Edit, version: Version, removed: list[tuple[int, int]], added: dict[tuple[int, int], int]
) -> None:
    match edit.number():
        case 1:
            edit.skip_text()
        case 2:
            version.log_number = edit.number()
        case 3:
            version.next_file = edit.number()
        case 4:
            version.last_sequence = edit.number()
        case 5:
            edit.number()
            edit.skip_text()
        case 6:
            removed.append((edit.number(), edit.number()))
        case 7:
            table = (edit.number(), edit.number())
            added[table] = edit.number()
            edit.skip_text()
            edit.skip_text()
        case 9:
            edit.number()
        case tag:
            raise ValueError(tag)


def _table_faults(folder: Path, version: Version, names: frozenset[str]) -> list[str]:
    faults = []
    for (_, number), size in version.tables.items():
        name = next((f"{number:06d}.{end}" for end in ("ldb", "sst") if f"{number:06d}.{end}" in names), "")
        fault = _table_fault(folder / name, size) if name else "is missing"
        if fault:
            faults.append(f"{name or f'{number:06d}.ldb'} {fault}")
    return faults


def _table_fault(path: Path, recorded: int) -> str:
    try:
        with path.open("rb") as file:
            return _content_fault(file, os.fstat(file.fileno()).st_size, recorded)
    except FileNotFoundError:
        return "is missing"
    except OSError:
        return "is unreadable"


def _content_fault(file: BinaryIO, size: int, recorded: int) -> str:
    if size != recorded or size < _FOOTER_BYTES:
        return f"has {size} bytes instead of {recorded}"
    file.seek(size - _FOOTER_BYTES)
    footer = file.read(_FOOTER_BYTES)
    if not footer.endswith(_TABLE_MAGIC):
        return "has no footer"
    handles = _Edit(footer)
    for what in ("meta index", "index"):
        offset, length = handles.number(), handles.number()
        if offset + length + _TRAILER_BYTES > size or length > _MAX_INDEX_BYTES:
            return f"points its {what} outside the file"
        file.seek(offset)
        block = file.read(length + _TRAILER_BYTES)
        if masked_checksum(block[:-4]) != int.from_bytes(block[-4:], "little"):
            return f"has a damaged {what}"
    return ""


def _log_faults(folder: Path, version: Version, names: frozenset[str]) -> list[str]:
    """Faults of the logs that LevelDB would replay. LevelDB makes a log before the manifest names it, so a log that is
    named and absent means lost writes."""
    wanted = version.log_number or 0
    numbers = sorted(int(name[:-4]) for name in names if re.fullmatch(r"\d+\.log", name))
    faults = [f"{wanted:06d}.log is missing"] if wanted and wanted not in numbers else []
    for number in numbers:
        if number >= wanted:
            faults += _log_fault(folder / f"{number:06d}.log")
    return faults


def _log_fault(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            for _ in records(file, path.name):
                pass
    except DamagedDatabase as damage:
        return [str(damage)]
    except OSError as error:
        return [f"{path.name} {'is missing' if isinstance(error, FileNotFoundError) else 'is unreadable'}"]
    return []
