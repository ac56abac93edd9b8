"""The epoch and the tombstone of each session, in `head.json` and `tombstone.json`.

Every change is read, decide (`domain.epochs`), write on condition that the object did not change, and read again.
A head that is absent, does not verify or is too old does not mean epoch 0: it is rebuilt from the backups that open,
from what was seen before, and from the epoch that its owner claimed.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import structlog

from backup.domain.control_records import Head, RecordKind, TombstoneRecord
from backup.domain.epochs import decide_claim, rebuilt_epoch
from shared.clock import Clock
from shared.contracts.backups import FailureCode
from shared.contracts.errors import Conflict, Fenced, Unavailable

from .control_records import ControlRecords, Found

log = structlog.get_logger()
_TRIES = 12


class OpenBackups(Protocol):
    """The part of the repository that proves an epoch."""

    async def highest_epoch(self, session: str) -> int:
        """Of the backups that open; 0 when there is none. Raises Unavailable, with the code WRONG_MASTER_KEY when all
        that there are were made with another master key."""
        ...


class ObjectEpochStore:
    def __init__(self, records: ControlRecords, backups: OpenBackups, clock: Clock) -> None:
        self._records = records
        self._backups = backups
        self._clock = clock

    async def claim(self, session: str, *, owner: str, nonce: str, at_least: int) -> int:
        for _ in range(_TRIES):
            found = await self._records.head(session)
            tombstone = await self._records.tombstone(session)
            claim = decide_claim(
                found.record if found.sound else None,
                highest_stored=await self._highest_known(session, found),
                tombstone_epoch=tombstone.epoch,
                nonce=nonce,
                at_least=at_least,
            )
            if not claim.write:
                return claim.epoch
            # The next turn reads what was written: on a store that ignores conditions another claimant may have won.
            await self._records.write_head(found, self._new_head(session, found, claim.epoch, owner, nonce))
        raise Conflict("others keep claiming this session", code=FailureCode.CONTENDED)

    async def admit(self, session: str, epoch: int) -> None:
        await self._admit_by_head(session, epoch)
        # An unverifiable tombstone fences nobody: the head does that.
        if epoch <= (await self._records.tombstone(session)).epoch:
            raise Fenced(
                "the session was cleared after this epoch was claimed",
                hint="claim a new epoch",
                code=FailureCode.CLEARED,
            )

    async def write_tombstone(self, session: str, epoch: int) -> TombstoneRecord:
        for _ in range(_TRIES):
            found = await self._records.tombstone(session)
            if found.sound and found.record is not None and found.record.epoch >= epoch:
                return found.record
            tombstone = TombstoneRecord(
                session=session,
                sequence=found.next_sequence,
                epoch=max(epoch, found.epoch),
                tombstoned_at=self._clock.now(),
            )
            await self._records.write_tombstone(found, tombstone)
        raise Conflict("the tombstone keeps changing", code=FailureCode.CONTENDED)

    async def sign_anew(self, session: str) -> None:
        """Sign both records with the present master key, where a previous one has signed them."""
        head = await self._records.head(session)
        if head.sound and head.record is not None:
            await self._sign_head_anew(head, head.record)
        tombstone = await self._records.tombstone(session)
        if tombstone.sound and tombstone.record is not None and not self._records.is_signed_anew(tombstone):
            again = msgspec.structs.replace(tombstone.record, sequence=tombstone.next_sequence)
            await self._records.write_tombstone(tombstone, again)

    async def _sign_head_anew(self, found: Found[Head], head: Head) -> None:
        if not self._records.is_signed_anew(found):
            again = msgspec.structs.replace(head, sequence=found.next_sequence)
            await self._records.write_head(found, again)

    async def _admit_by_head(self, session: str, epoch: int) -> None:
        for _ in range(_TRIES):
            found = await self._records.head(session)
            if found.sound and found.epoch == epoch:
                return
            if found.epoch > epoch:
                raise Fenced("another owner holds this session", hint="its epoch is not this one")
            highest = await self._highest_known(session, found)
            if epoch < highest:
                raise Fenced("another owner holds this session", hint="a backup of a newer epoch exists")
            if found.sound and epoch > highest:
                raise Fenced("this epoch was never claimed", hint="claim an epoch")
            if found.sound:
                # A backup of this epoch opens, so a newer head was there.
                await self._records.report_rolled_back(session, RecordKind.HEAD)
            log.warning("head_rebuilt", session=session, present=found.blob is not None)
            await self._records.write_head(found, self._rebuilt(session, found, highest, epoch))
        raise Conflict("the head keeps changing", code=FailureCode.CONTENDED)

    def _rebuilt(self, session: str, found: Found[Head], highest: int, asked: int) -> Head:
        epoch = rebuilt_epoch(highest_stored=highest, asked=asked)
        known = found.record if found.record is not None and found.record.epoch == epoch else None
        owner, nonce = (known.owner, known.nonce) if known else ("", "")
        return self._new_head(session, found, epoch, owner, nonce)

    async def _highest_known(self, session: str, found: Found[Head]) -> int:
        """The highest epoch that is proven: by a backup that opens, or by a head that was seen before. A head that
        verifies proves that the master key is right, whatever manifests somebody has put beside it."""
        try:
            stored = await self._backups.highest_epoch(session)
        except Unavailable as error:
            if error.code != FailureCode.WRONG_MASTER_KEY or not found.sound:
                raise
            stored = 0
        return max(stored, 0 if found.sound else found.epoch)

    def _new_head(self, session: str, found: Found[Head], epoch: int, owner: str, nonce: str) -> Head:
        return Head(
            session=session,
            sequence=found.next_sequence,
            epoch=epoch,
            owner=owner,
            nonce=nonce,
            updated_at=self._clock.now(),
        )
