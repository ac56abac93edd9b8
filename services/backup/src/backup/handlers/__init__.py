"""The commands that the service answers: a message in, a reply or an error out."""

from __future__ import annotations

from backup.ports import EpochGuard, ObjectStore, Shelf
from shared.bus import Bus, Call, Served
from shared.contracts import subjects
from shared.contracts.backups import (
    Backups,
    ClaimEpoch,
    EpochClaimed,
    FetchChunk,
    FetchManifest,
    ListBackups,
    Store,
    Stored,
    Tombstone,
    Tombstoned,
)
from shared.contracts.errors import Invalid
from shared.contracts.identifiers import BadIdentifier, session_id

from .restoring import Restoring
from .storing import StoreOptions, Storing

_MAX_EPOCH = 10**9
"""Ten digits are kept for it in a backup's name."""

__all__ = ["Handlers", "Restoring", "StoreOptions", "Storing"]


class Handlers:
    def __init__(
        self, store: ObjectStore, guard: EpochGuard, shelf: Shelf, storing: Storing, restoring: Restoring
    ) -> None:
        self._store = store
        self._guard = guard
        self._shelf = shelf
        self._storing = storing
        self._restoring = restoring

    async def serve(self, bus: Bus) -> list[Served]:
        """Any replica answers for any session."""

        def every(verb: str) -> str:
            return subjects.command(verb, "*")

        queue = subjects.BACKUP_QUEUE
        return [
            await bus.serve(every(subjects.CLAIM_EPOCH), ClaimEpoch, self.claim, queue=queue),
            await bus.serve(every(subjects.STORE), Store, self.store, queue=queue, concurrency=64),
            await bus.serve(every(subjects.LIST), ListBackups, self.backups, queue=queue),
            await bus.serve(every(subjects.FETCH_MANIFEST), FetchManifest, self.manifest_part, queue=queue),
            await bus.serve(every(subjects.FETCH_CHUNK), FetchChunk, self.chunk, queue=queue),
            await bus.serve(every(subjects.TOMBSTONE), Tombstone, self.tombstone, queue=queue),
        ]

    async def claim(self, ask: ClaimEpoch, call: Call) -> EpochClaimed:
        session = _session(call)
        if not ask.nonce or not ask.owner or not 0 <= ask.at_least < _MAX_EPOCH:
            raise Invalid("a claim needs an owner, a nonce and an epoch that is not negative")
        epoch = await self._guard.claim(session, owner=ask.owner, nonce=ask.nonce, at_least=ask.at_least)
        return EpochClaimed(epoch=epoch, conditional_writes=self._store.conditional)

    async def store(self, ask: Store, call: Call) -> Stored:
        if not 0 < ask.epoch <= _MAX_EPOCH or not ask.snapshot:
            raise Invalid("a store needs a snapshot and an epoch above 0")
        return await self._storing.store(_session(call), ask)

    async def backups(self, ask: ListBackups, call: Call) -> Backups:  # noqa: ARG002 - every handler has this shape
        return await self._restoring.backups(_session(call))

    async def manifest_part(self, ask: FetchManifest, call: Call) -> bytes:
        return await self._restoring.manifest_part(_session(call), ask)

    async def chunk(self, ask: FetchChunk, call: Call) -> bytes:
        return await self._restoring.chunk(_session(call), ask)

    async def tombstone(self, ask: Tombstone, call: Call) -> Tombstoned:
        session = _session(call)
        if not 0 <= ask.epoch <= _MAX_EPOCH:
            raise Invalid("an epoch is not negative")
        grave = await self._guard.bury(session, ask.epoch)
        catalogue = await self._shelf.catalogue(session)
        cleared = sum(item.ref.name.epoch <= grave.epoch for item in catalogue.backups)
        return Tombstoned(tombstoned_at=grave.tombstoned_at, backups=cleared)


def _session(call: Call) -> str:
    try:
        return session_id(call.session)
    except BadIdentifier as error:
        raise Invalid(str(error)) from None
