"""The epoch and the tombstone of each session, in `head.json` and `tombstone.json`.

Every change is read, decide (`domain.epochs`), write on condition that the object did not change, and read again.
A head that is absent or damaged does not mean epoch 0: it is rebuilt from the names of the backups.
"""

from __future__ import annotations

import structlog

from backup.domain import layout
from backup.domain.epochs import (
    Head,
    TombstoneRecord,
    decide_claim,
    decode_head,
    decode_tombstone,
    encode_head,
    encode_tombstone,
    rebuilt_epoch,
)
from backup.domain.listing import parse_listing
from backup.domain.records import DamagedRecord
from backup.ports import Blob, ObjectStore, Taken
from shared.clock import Clock
from shared.contracts.backups import FailureCode
from shared.contracts.errors import Conflict, Fenced

log = structlog.get_logger()
_TRIES = 12


class ObjectEpochStore:
    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def claim(self, session: str, *, owner: str, nonce: str, at_least: int) -> int:
        for _ in range(_TRIES):
            blob, head = await self._head(session)
            claim = decide_claim(
                head,
                highest_stored=0 if head else await self._highest_stored(session),
                tombstone_epoch=await self._tombstone_epoch(session),
                nonce=nonce,
                at_least=at_least,
            )
            if not claim.write:
                return claim.epoch
            # The next turn reads what was written: on a store that ignores conditions another claimant may have won.
            await self._write_head(session, blob, self._new_head(claim.epoch, owner, nonce))
        raise Conflict("others keep claiming this session", code=FailureCode.CONTENDED)

    async def admit(self, session: str, epoch: int) -> None:
        await self._admit_by_head(session, epoch)
        if epoch <= await self._tombstone_epoch(session):
            raise Fenced(
                "the session was cleared after this epoch was claimed",
                hint="claim a new epoch",
                code=FailureCode.CLEARED,
            )

    async def write_tombstone(self, session: str, epoch: int) -> TombstoneRecord:
        for _ in range(_TRIES):
            blob = await self._store.read(layout.tombstone(session))
            present = _tombstone(blob)
            if present is not None and present.epoch >= epoch:
                return present
            tombstone = TombstoneRecord(epoch=epoch, tombstoned_at=self._clock.now())
            await self._write(layout.tombstone(session), blob, encode_tombstone(tombstone))
        raise Conflict("the tombstone keeps changing", code=FailureCode.CONTENDED)

    async def _admit_by_head(self, session: str, epoch: int) -> None:
        for _ in range(_TRIES):
            blob, head = await self._head(session)
            if head is not None and head.epoch == epoch:
                return
            if head is not None:
                raise Fenced("another owner holds this session", hint="its epoch is not this one")
            highest = await self._highest_stored(session)
            if epoch < highest:
                raise Fenced("another owner holds this session", hint="a backup of a newer epoch exists")
            log.warning("head_rebuilt", session=session, damaged=blob is not None)
            rebuilt = self._new_head(rebuilt_epoch(highest_stored=highest, asked=epoch), owner="", nonce="")
            await self._write_head(session, blob, rebuilt)
        raise Conflict("the head keeps changing", code=FailureCode.CONTENDED)

    def _new_head(self, epoch: int, owner: str, nonce: str) -> Head:
        return Head(epoch=epoch, owner=owner, nonce=nonce, updated_at=self._clock.now())

    async def _head(self, session: str) -> tuple[Blob | None, Head | None]:
        """The object, and the head in it unless that is damaged."""
        blob = await self._store.read(layout.head(session))
        if blob is None:
            return None, None
        try:
            return blob, decode_head(blob.data)
        except DamagedRecord:
            return blob, None

    async def _write_head(self, session: str, blob: Blob | None, head: Head) -> None:
        await self._write(layout.head(session), blob, encode_head(head))

    async def _write(self, key: str, blob: Blob | None, data: bytes) -> None:
        """Unless the object changed since `blob` was read; the caller reads again in both cases."""
        try:
            if blob is None:
                await self._store.create(key, data)
            else:
                await self._store.replace(key, data, blob.etag)
        except Taken:
            return

    async def _highest_stored(self, session: str) -> int:
        return parse_listing(session, await self._store.list_objects(layout.session_prefix(session))).highest_epoch

    async def _tombstone_epoch(self, session: str) -> int:
        """0 without a tombstone, or with a damaged one: the head's epoch still fences then."""
        tombstone = _tombstone(await self._store.read(layout.tombstone(session)))
        return tombstone.epoch if tombstone else 0


def _tombstone(blob: Blob | None) -> TombstoneRecord | None:
    if blob is None:
        return None
    try:
        return decode_tombstone(blob.data)
    except DamagedRecord:
        log.error("tombstone_damaged", hint="clear the session again, or remove its tombstone")
        return None
