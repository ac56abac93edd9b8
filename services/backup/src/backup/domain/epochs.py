"""Who may store: the epoch anchored in `head.json`, and the tombstone of a cleared session.

Decides; it never reads or writes. The trap: the epoch only grows. Whatever is lost or damaged, the rebuilt head is at
least as high as every backup and as the tombstone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from shared.contracts.message import Instant

FORMAT = 1
R = TypeVar("R", "Head", "Grave")


class Damaged(Exception):
    """Stored bytes are not what was written. The text says which object, never what is in it."""


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The present owner. A head with an empty `nonce` was rebuilt and has no known owner."""

    format: int = FORMAT
    epoch: int
    owner: str
    nonce: str
    updated_at: Instant
    checksum: str = ""


class Grave(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tombstone: backups up to `epoch` are cleared."""

    format: int = FORMAT
    epoch: int
    tombstoned_at: Instant
    checksum: str = ""


def _checksum(record: Head | Grave) -> str:
    bare = msgspec.structs.replace(record, checksum="")
    return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()


def _sealed(record: Head | Grave) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(record, checksum=_checksum(record)))


def write_head(head: Head) -> bytes:
    return _sealed(head)


def read_head(data: bytes) -> Head:
    """Raises Damaged."""
    return _opened(data, Head, "head.json")


def write_grave(grave: Grave) -> bytes:
    """Two equal lines: a tombstone cannot be made again from anything else, so one damaged byte must not lose it."""
    line = _sealed(grave)
    return line + b"\n" + line + b"\n"


def read_grave(data: bytes) -> Grave:
    """The first copy that is whole, found by its line or, when the line's end is damaged, by halves. Raises Damaged."""
    middle = len(data) // 2
    for line in (*data.split(b"\n"), data[:middle], data[middle:]):
        try:
            return _opened(line, Grave, "tombstone.json")
        except Damaged:
            continue
    raise Damaged("tombstone.json is damaged")


def _opened(data: bytes, kind: type[R], name: str) -> R:
    try:
        record = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Damaged(f"{name} is damaged") from error
    if record.checksum != _checksum(record):
        raise Damaged(f"{name} is damaged")
    return record


@dataclass(frozen=True)
class Claim:
    """`epoch` to answer; `write` when the head must be changed for it."""

    epoch: int
    write: bool


def decide_claim(head: Head | None, *, highest_stored: int, cleared: int, nonce: str, at_least: int) -> Claim:
    """`head` is None when absent or damaged; `highest_stored` is the highest epoch among the backups, `cleared` that of
    the tombstone (0 without one). The same nonce gets its epoch again, unless the tombstone has passed over it."""
    floor = max(cleared + 1, at_least)
    if head is not None and head.nonce == nonce and head.epoch >= floor:
        return Claim(head.epoch, write=False)
    if head is not None and head.nonce == nonce:
        return Claim(floor, write=True)
    known = head.epoch if head is not None else highest_stored
    return Claim(max(known + 1, floor), write=True)


def rebuilt_epoch(*, highest_stored: int, asked: int) -> int:
    """The epoch of a head that is written anew at a store: `asked` was claimed once, so it is not below any owner that
    ever stored; a claimant that has not stored yet claims again."""
    return max(highest_stored, asked)
