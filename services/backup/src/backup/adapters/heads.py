"""The epoch guard and the tombstone of a session, kept in `head.json` and `tombstone.json`.

Knows how they are changed: read, decide (`domain.epochs`), write on condition that nothing changed, else again. The
trap: a head that is absent or damaged while backups exist does not mean epoch 0; it is rebuilt from the backups' names.
"""

from __future__ import annotations

import structlog

from backup.domain import layout
from backup.domain.epochs import (
    Damaged,
    Grave,
    Head,
    decide_claim,
    read_grave,
    read_head,
    rebuilt_epoch,
    write_grave,
    write_head,
)
from backup.domain.inventory import take_stock
from backup.ports import Blob, ObjectStore, Taken
from shared.clock import Clock
from shared.contracts.errors import Conflict, Fenced

log = structlog.get_logger()
_TRIES = 12


class Heads:
    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def claim(self, session: str, *, owner: str, nonce: str, at_least: int) -> int:
        for _ in range(_TRIES):
            blob, head = await self._head(session)
            claim = decide_claim(
                head,
                highest_stored=0 if head else await self._highest(session),
                cleared=await self._cleared(session),
                nonce=nonce,
                at_least=at_least,
            )
            if not claim.write:
                return claim.epoch
            # what was written is read again at the next turn: where conditions are ignored another may have won
            await self._put(session, blob, self._new(claim.epoch, owner, nonce))
        raise Conflict("others keep claiming this session", code="contended")

    async def admit(self, session: str, epoch: int) -> None:
        await self._admit_head(session, epoch)
        if epoch <= await self._cleared(session):
            raise Fenced(
                "the session was cleared after this epoch was claimed", hint="claim a new epoch", code="cleared"
            )

    async def bury(self, session: str, epoch: int) -> Grave:
        for _ in range(_TRIES):
            blob = await self._store.read(layout.tombstone(session))
            present = _grave(blob)
            if present is not None and present.epoch >= epoch:
                return present
            grave = Grave(epoch=epoch, tombstoned_at=self._clock.now())
            await self._write(layout.tombstone(session), blob, write_grave(grave))
        raise Conflict("the tombstone keeps changing", code="contended")

    async def _admit_head(self, session: str, epoch: int) -> None:
        for _ in range(_TRIES):
            blob, head = await self._head(session)
            if head is not None and head.epoch == epoch:
                return
            if head is not None:
                raise Fenced("another owner holds this session", hint="its epoch is not this one")
            highest = await self._highest(session)
            if epoch < highest:
                raise Fenced("another owner holds this session", hint="a backup of a newer epoch exists")
            log.warning("head_rebuilt", session=session, damaged=blob is not None)
            await self._put(session, blob, self._new(rebuilt_epoch(highest_stored=highest, asked=epoch), "", ""))
        raise Conflict("the head keeps changing", code="contended")

    def _new(self, epoch: int, owner: str, nonce: str) -> Head:
        return Head(epoch=epoch, owner=owner, nonce=nonce, updated_at=self._clock.now())

    async def _head(self, session: str) -> tuple[Blob | None, Head | None]:
        blob = await self._store.read(layout.head(session))
        if blob is None:
            return None, None
        try:
            return blob, read_head(blob.data)
        except Damaged:
            return blob, None

    async def _put(self, session: str, blob: Blob | None, head: Head) -> None:
        await self._write(layout.head(session), blob, write_head(head))

    async def _write(self, key: str, blob: Blob | None, data: bytes) -> None:
        """Unless it changed meanwhile; the caller reads again in both cases."""
        try:
            if blob is None:
                await self._store.create(key, data)
            else:
                await self._store.replace(key, data, blob.etag)
        except Taken:
            return

    async def _highest(self, session: str) -> int:
        return take_stock(session, await self._store.listing(layout.session_prefix(session))).highest_epoch

    async def _cleared(self, session: str) -> int:
        """The tombstone's epoch; 0 without one, or when it is damaged: the head's epoch still guards then."""
        grave = _grave(await self._store.read(layout.tombstone(session)))
        return grave.epoch if grave else 0


def _grave(blob: Blob | None) -> Grave | None:
    if blob is None:
        return None
    try:
        return read_grave(blob.data)
    except Damaged:
        log.error("tombstone_damaged", hint="write it anew by clearing the session, or remove it")
        return None
