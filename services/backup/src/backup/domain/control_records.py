"""The control records of a session, `head.json` and `tombstone.json`, and the MAC that tells them from forged ones.

Whoever can write to the bucket can put any bytes in the place of a record. So a record counts only when its MAC was
made with a key that never leaves this service, and when it says itself that it is of this kind and of this session. Its
sequence grows with each write, so a record that was put back after a newer one was seen is found too.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

import msgspec

from shared.contracts.backups import RecordFault
from shared.contracts.message import Instant

FORMAT = 1
MAX_BYTES = 4096
"""No record is longer; a longer object is not even parsed."""


class RecordKind(StrEnum):
    HEAD = "head"
    TOMBSTONE = "tombstone"


class ControlRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`master` names the master key that the MAC's key comes from. The order of the fields is part of the format."""

    format: int = FORMAT
    kind: RecordKind
    session: str
    sequence: int
    master: str = ""
    mac: str = ""
    epoch: int

    @property
    def order(self) -> tuple[int, int]:
        """Grows with each write of the record."""
        return self.epoch, self.sequence


class Head(ControlRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The present owner. A head with an empty `nonce` was rebuilt and has no known owner."""

    kind: RecordKind = RecordKind.HEAD
    owner: str
    nonce: str
    updated_at: Instant


class TombstoneRecord(ControlRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session was cleared: backups up to `epoch` are never restored."""

    kind: RecordKind = RecordKind.TOMBSTONE
    tombstoned_at: Instant


R = TypeVar("R", Head, TombstoneRecord)


class RejectedRecord(Exception):
    """An object in the place of a control record that is not this session's record."""

    def __init__(self, fault: RecordFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True)
class SigningKeys:
    """`secrets`: the key for the MAC by the name of its master key. The present one signs, every one verifies."""

    present: str
    secrets: Mapping[str, bytes] = field(repr=False)

    def sign(self, record: R) -> bytes:
        """JSON with the MAC of the present key, whatever `record.master` and `record.mac` hold."""
        named = msgspec.structs.replace(record, master=self.present)
        return msgspec.json.encode(msgspec.structs.replace(named, mac=self._mac(named)))

    def verify(self, data: bytes, kind: type[R], session: str) -> R:
        """Raises RejectedRecord."""
        if len(data) > MAX_BYTES:
            raise RejectedRecord(RecordFault.UNVERIFIED)
        try:
            record = msgspec.json.decode(data, type=kind)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
            self._reject_swapped(data)
            raise RejectedRecord(RecordFault.UNVERIFIED) from None
        self._must_be_signed(record)
        if record.session != session or record.kind is not _KINDS[kind]:
            raise RejectedRecord(RecordFault.SWAPPED)
        return record

    def _reject_swapped(self, data: bytes) -> None:
        """A record of the other kind is no damage: somebody has put it here."""
        for other in _KINDS:
            try:
                self._must_be_signed(msgspec.json.decode(data, type=other))
            except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RejectedRecord):
                continue
            raise RejectedRecord(RecordFault.SWAPPED)

    def _must_be_signed(self, record: ControlRecord) -> None:
        if record.master not in self.secrets:
            raise RejectedRecord(RecordFault.FOREIGN)
        if not hmac.compare_digest(record.mac.encode(), self._mac(record).encode()):
            raise RejectedRecord(RecordFault.UNVERIFIED)

    def _mac(self, record: ControlRecord) -> str:
        bare = msgspec.json.encode(msgspec.structs.replace(record, mac=""))
        return hmac.new(self.secrets[record.master], bare, hashlib.sha256).hexdigest()


_KINDS: Mapping[type[ControlRecord], RecordKind] = {Head: RecordKind.HEAD, TombstoneRecord: RecordKind.TOMBSTONE}


def sign_head(head: Head, keys: SigningKeys) -> bytes:
    return keys.sign(head)


def verify_head(data: bytes, session: str, keys: SigningKeys) -> Head:
    """Raises RejectedRecord."""
    return keys.verify(data, Head, session)


def sign_tombstone(tombstone: TombstoneRecord, keys: SigningKeys) -> bytes:
    """Two equal lines: nothing else knows what a tombstone says, so one damaged byte must not lose it."""
    line = keys.sign(tombstone)
    return line + b"\n" + line + b"\n"


def verify_tombstone(data: bytes, session: str, keys: SigningKeys) -> TombstoneRecord:
    """The newest line that verifies. A damaged line break joins the lines, so the halves are tried too. Raises
    RejectedRecord with the fault that says most."""
    if len(data) > MAX_BYTES:
        raise RejectedRecord(RecordFault.UNVERIFIED)
    middle = len(data) // 2
    found: list[TombstoneRecord] = []
    faults = {RecordFault.UNVERIFIED}
    for line in (*data.split(b"\n"), data[:middle], data[middle:]):
        try:
            found.append(keys.verify(line, TombstoneRecord, session))
        except RejectedRecord as rejected:
            faults.add(rejected.fault)
    if found:
        return max(found, key=lambda tombstone: tombstone.order)
    raise RejectedRecord(next(fault for fault in _BY_WEIGHT if fault in faults))


_BY_WEIGHT = (RecordFault.SWAPPED, RecordFault.FOREIGN, RecordFault.UNVERIFIED)
"""What says most about a record comes first."""
