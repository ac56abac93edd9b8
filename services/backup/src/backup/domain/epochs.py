"""The epoch: which owner may write backups of a session, decided by one number in the object store.

A lease on NATS names one owner at a time, but a paused owner can wake up late and still believe that it holds the
lease. The object store is the last gate, so it keeps a fencing number of its own in `head.json`. An owner claims its
session once: the claim raises the head's epoch, above the tombstone's and never below the lease's. `admit` then accepts
a backup only with the epoch that the head holds now, so a claim by a new owner fences the old one out.

Three rules make this safe. The head changes only by conditional write (create if absent, replace if the ETag is
unchanged), so of two claims that race one wins, and the other reads again. A claim carries a random nonce: a claim
whose answer was lost finds its own nonce in the head and gets the same epoch. The epoch never falls: a head that is
lost or damaged is rebuilt at least as high as the epoch in the name of every backup.

The tombstone fences too: an epoch up to the tombstone's belongs to a session that was cleared and writes nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from shared.contracts.message import Instant

from .layout import ObjectKind
from .records import DamagedRecord, decode_record, encode_record

FORMAT = 1


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The present owner. A head with an empty `nonce` was rebuilt and has no known owner."""

    format: int = FORMAT
    epoch: int
    owner: str
    nonce: str
    updated_at: Instant
    checksum: str = ""


class TombstoneRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session was cleared: backups up to `epoch` are never restored."""

    format: int = FORMAT
    epoch: int
    tombstoned_at: Instant
    checksum: str = ""


def encode_head(head: Head) -> bytes:
    return encode_record(head)


def decode_head(data: bytes) -> Head:
    """Raises DamagedRecord."""
    return decode_record(data, Head, ObjectKind.HEAD)


def encode_tombstone(tombstone: TombstoneRecord) -> bytes:
    """Two equal lines: nothing else knows what a tombstone says, so one damaged byte must not lose it."""
    line = encode_record(tombstone)
    return line + b"\n" + line + b"\n"


def decode_tombstone(data: bytes) -> TombstoneRecord:
    """The first copy that is whole. A damaged line break joins the lines, so the halves are tried too. Raises
    DamagedRecord."""
    middle = len(data) // 2
    for line in (*data.split(b"\n"), data[:middle], data[middle:]):
        try:
            return decode_record(line, TombstoneRecord, ObjectKind.TOMBSTONE)
        except DamagedRecord:
            continue
    raise DamagedRecord(f"{ObjectKind.TOMBSTONE} is damaged")


@dataclass(frozen=True)
class Claim:
    """`epoch` is the answer; `write` is true when the head must be changed to it first."""

    epoch: int
    write: bool


def decide_claim(head: Head | None, *, highest_stored: int, tombstone_epoch: int, nonce: str, at_least: int) -> Claim:
    """`head` is None when it is absent or damaged; `highest_stored` is the highest epoch among the backups;
    `tombstone_epoch` is 0 without a tombstone; `at_least` is the lease's epoch. The same nonce gets its epoch again,
    unless a tombstone has passed it."""
    floor = max(tombstone_epoch + 1, at_least)
    if head is not None and head.nonce == nonce and head.epoch >= floor:
        return Claim(head.epoch, write=False)
    if head is not None and head.nonce == nonce:
        return Claim(floor, write=True)
    known = head.epoch if head is not None else highest_stored
    return Claim(max(known + 1, floor), write=True)


def rebuilt_epoch(*, highest_stored: int, asked: int) -> int:
    """The epoch of a head that a backup finds lost or damaged. `asked` was claimed once, so it is not below any owner
    that wrote a backup; an owner that has claimed but not written yet claims again."""
    return max(highest_stored, asked)
