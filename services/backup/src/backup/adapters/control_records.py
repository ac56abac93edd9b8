"""Reads and writes the control records of sessions. A record that does not verify is named at once: in the log, in the
metrics and as an event.

The trap: a fault on the way looks like a forged record. So a record that does not verify is read twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from cachetools import LRUCache

from backup.adapters.conditional_write import write_over
from backup.domain import layout
from backup.domain.control_records import (
    Head,
    RecordKind,
    RejectedRecord,
    SigningKeys,
    TombstoneRecord,
    sign_head,
    sign_tombstone,
    verify_head,
    verify_tombstone,
)
from backup.domain.listing import ListedObject
from backup.ports import Blob, ObjectStore, Reports
from shared.contracts.backups import RecordFault

log = structlog.get_logger()
_SESSIONS = 20_000
R = TypeVar("R", Head, TombstoneRecord)


@dataclass(frozen=True)
class Found(Generic[R]):
    """What lies in a record's place. `blob` is None when nothing does. `record` is None unless one is known; with a
    fault it is a newer one than lies there, seen before."""

    blob: Blob | None = None
    record: R | None = None
    fault: RecordFault | None = None

    @property
    def sound(self) -> bool:
        return self.record is not None and self.fault is None

    @property
    def epoch(self) -> int:
        return self.record.epoch if self.record else 0

    @property
    def next_sequence(self) -> int:
        return self.record.sequence + 1 if self.record else 1


class ControlRecords:
    """Remembers the newest record of each place for as long as this process lives, so that an older one that is put
    back is found. What is remembered only ever says that a record is too old."""

    def __init__(self, store: ObjectStore, keys: SigningKeys, reports: Reports) -> None:
        self._store = store
        self._keys = keys
        self._reports = reports
        self._heads: LRUCache[str, Head] = LRUCache(_SESSIONS)
        self._tombstones: LRUCache[str, TombstoneRecord] = LRUCache(_SESSIONS)
        self._verified: LRUCache[str, tuple[str, TombstoneRecord]] = LRUCache(_SESSIONS)
        """Session → ETag and tombstone."""

    async def head(self, session: str) -> Found[Head]:
        known = self._heads.get(session)
        found = await self._find(layout.head(session), lambda data: verify_head(data, session, self._keys))
        return await self._judged(session, RecordKind.HEAD, found, known, self._heads)

    async def tombstone(self, session: str) -> Found[TombstoneRecord]:
        known = self._tombstones.get(session)
        found = await self._find(layout.tombstone(session), lambda data: verify_tombstone(data, session, self._keys))
        judged = await self._judged(session, RecordKind.TOMBSTONE, found, known, self._tombstones)
        if judged.sound and judged.blob and judged.record:
            self._verified[session] = judged.blob.etag, judged.record
        return judged

    async def listed_tombstone(self, session: str, listed: ListedObject | None) -> Found[TombstoneRecord]:
        """As `tombstone`, without a read when the listing shows none, or the object that was verified last."""
        known = self._verified.get(session)
        if listed is not None and known is not None and known[0] == listed.etag:
            return Found(None, known[1])
        if listed is None and session not in self._tombstones:
            return Found()
        return await self.tombstone(session)

    async def write_head(self, found: Found[Head], head: Head) -> None:
        """Unless the object changed since it was found; the caller reads again in both cases."""
        await write_over(self._store, layout.head(head.session), found.blob, sign_head(head, self._keys))

    async def write_tombstone(self, found: Found[TombstoneRecord], tombstone: TombstoneRecord) -> None:
        """As `write_head`."""
        await write_over(
            self._store, layout.tombstone(tombstone.session), found.blob, sign_tombstone(tombstone, self._keys)
        )

    def is_signed_anew(self, found: Found[R]) -> bool:
        """Whether the record carries the MAC of the present master key."""
        return found.record is not None and found.record.master == self._keys.present

    async def report_rolled_back(self, session: str, kind: RecordKind) -> None:
        """The caller knows that the record is older than one that existed."""
        await self._name(session, kind, RecordFault.ROLLED_BACK)

    async def _find(self, key: str, verify: Callable[[bytes], R]) -> Found[R]:
        fault = RecordFault.UNVERIFIED
        blob = None
        for _ in range(2):
            blob = await self._store.read(key)
            if blob is None:
                return Found()
            try:
                return Found(blob, verify(blob.data))
            except RejectedRecord as rejected:
                fault = rejected.fault
        return Found(blob, None, fault)

    async def _judged(
        self, session: str, kind: RecordKind, found: Found[R], known: R | None, newest: LRUCache[str, R]
    ) -> Found[R]:
        """What was found, against what was `known` before it was read."""
        record = found.record
        if record is not None and (known is None or record.order >= known.order):
            newest[session] = max(record, newest.get(session, record), key=lambda each: each.order)
            return found
        if found.blob is None and known is None:
            return found
        fault = found.fault or (RecordFault.MISSING if found.blob is None else RecordFault.ROLLED_BACK)
        await self._name(session, kind, fault)
        return Found(found.blob, known, fault)

    async def _name(self, session: str, kind: RecordKind, fault: RecordFault) -> None:
        log.error("control_record_rejected", session=session, record=kind.value, fault=fault.value)
        await self._reports.rejected(session, kind.value, fault)
