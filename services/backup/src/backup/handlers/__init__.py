"""The commands that the service answers: a message in, a reply or an error out."""

from __future__ import annotations

from backup.ports import EpochStore, ObjectStore, Repository
from shared.bus import Bus, Call, Subscription
from shared.contracts import subjects
from shared.contracts.backups import (
    CLAIM_EPOCH,
    FETCH_CHUNK,
    FETCH_MANIFEST,
    LIST_BACKUPS,
    STORE_SNAPSHOT,
    TOMBSTONE,
    Backups,
    BackupState,
    ClaimEpoch,
    EpochClaimed,
    FetchChunk,
    FetchManifest,
    ListBackups,
    Stored,
    StoreSnapshot,
    Tombstone,
    Tombstoned,
)
from shared.contracts.errors import Invalid
from shared.contracts.identifiers import BadIdentifier, session_id
from shared.contracts.subjects import Command

from .backup_reader import BackupReader
from .backup_writer import BackupWriter, WriterOptions

_MAX_EPOCH = 10**9
"""A backup's name has ten digits for the epoch."""

__all__ = ["BackupReader", "BackupWriter", "Handlers", "WriterOptions"]


class Handlers:
    def __init__(
        self,
        store: ObjectStore,
        epochs: EpochStore,
        repository: Repository,
        writer: BackupWriter,
        reader: BackupReader,
    ) -> None:
        self._store = store
        self._epochs = epochs
        self._repository = repository
        self._writer = writer
        self._reader = reader

    async def serve(self, bus: Bus) -> list[Subscription]:
        """Every replica answers for every session."""

        def every(command: Command) -> str:
            return subjects.command(command, "*")

        queue = subjects.BACKUP_QUEUE
        return [
            await bus.serve(every(CLAIM_EPOCH), ClaimEpoch, self.claim, queue=queue),
            await bus.serve(every(STORE_SNAPSHOT), StoreSnapshot, self.write, queue=queue, concurrency=64),
            await bus.serve(every(LIST_BACKUPS), ListBackups, self.backups, queue=queue),
            await bus.serve(every(FETCH_MANIFEST), FetchManifest, self.manifest_part, queue=queue),
            await bus.serve(every(FETCH_CHUNK), FetchChunk, self.chunk, queue=queue),
            await bus.serve(every(TOMBSTONE), Tombstone, self.write_tombstone, queue=queue),
        ]

    async def claim(self, request: ClaimEpoch, call: Call) -> EpochClaimed:
        session = _session(call)
        if not request.nonce or not request.owner or not 0 <= request.at_least < _MAX_EPOCH:
            raise Invalid("a claim needs an owner, a nonce and an epoch that is not negative")
        epoch = await self._epochs.claim(session, owner=request.owner, nonce=request.nonce, at_least=request.at_least)
        return EpochClaimed(epoch=epoch, conditional_writes=self._store.conditional)

    async def write(self, request: StoreSnapshot, call: Call) -> Stored:
        if not 0 < request.epoch <= _MAX_EPOCH or not request.snapshot:
            raise Invalid("a backup needs a snapshot and an epoch above 0")
        return await self._writer.write(_session(call), request)

    async def backups(self, request: ListBackups, call: Call) -> Backups:
        return await self._reader.backups(_session(call), for_a_person=request.for_a_person)

    async def manifest_part(self, request: FetchManifest, call: Call) -> bytes:
        return await self._reader.manifest_part(_session(call), request)

    async def chunk(self, request: FetchChunk, call: Call) -> bytes:
        return await self._reader.chunk(_session(call), request)

    async def write_tombstone(self, request: Tombstone, call: Call) -> Tombstoned:
        session = _session(call)
        if not 0 <= request.epoch <= _MAX_EPOCH:
            raise Invalid("an epoch is not negative")
        tombstone = await self._epochs.write_tombstone(session, request.epoch)
        listing = await self._repository.list_backups(session)
        cleared = sum(entry.state is BackupState.CLEARED and entry.summary is not None for entry in listing.entries)
        return Tombstoned(tombstoned_at=tombstone.tombstoned_at, backups=cleared)


def _session(call: Call) -> str:
    try:
        return session_id(call.session)
    except BadIdentifier as error:
        raise Invalid(str(error)) from None
