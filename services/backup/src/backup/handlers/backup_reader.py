"""Lists backups and gives out their bytes: the half of the service that a restore uses. It changes nothing.

An answer means that the store was asked. Whatever cannot be known is an error, never an empty list.
"""

from __future__ import annotations

from backup.domain.entries import Entry
from backup.domain.manifests import is_chunk
from backup.domain.retention import RetentionPolicy, Verdict, judge_listing
from backup.ports import Reports, Repository, wrong_master_key
from shared.clock import Clock
from shared.contracts.backups import BackupEntry, Backups, FailureCode, FetchChunk, FetchManifest
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.snapshots import CHUNK_BYTES


class BackupReader:
    def __init__(self, repository: Repository, reports: Reports, clock: Clock, policy: RetentionPolicy) -> None:
        self._repository = repository
        self._reports = reports
        self._clock = clock
        self._policy = policy

    async def backups(self, session: str, *, for_a_person: bool = False) -> Backups:
        listing = await self._repository.list_backups(session)
        if listing.all_foreign:
            raise wrong_master_key()
        if listing.tombstone_rejected and not for_a_person:
            raise Unavailable(
                "the session's tombstone does not verify, so it is unknown which backups were cleared",
                hint="restore a backup by its name, or clear the session again",
                code=FailureCode.TOMBSTONE_UNVERIFIED,
            )
        verdicts = judge_listing(listing, self._policy, self._clock.now())
        return Backups(
            backups=tuple(_message(entry, verdicts[entry.ref.id]) for entry in listing.each_backup()),
            stored_bytes=listing.objects.bytes,
            tombstoned_at=listing.tombstoned_at,
            tombstone_epoch=listing.tombstone.epoch if listing.tombstone else 0,
            tombstone_unverified=listing.tombstone_rejected,
        )

    async def manifest_part(self, session: str, request: FetchManifest) -> bytes:
        if request.offset < 0:
            raise Invalid("the offset is negative")
        manifest = await self._repository.manifest(session, request.backup)
        return manifest.manifest[request.offset : request.offset + CHUNK_BYTES]

    async def chunk(self, session: str, request: FetchChunk) -> bytes:
        if not is_chunk(request.sha256):
            raise Invalid("a chunk's name is no SHA-256")
        chunk = await self._repository.chunk(session, request.backup, request.sha256)
        self._reports.served(len(chunk))
        return chunk


def _message(entry: Entry, verdict: Verdict) -> BackupEntry:
    name, summary = entry.ref.name, entry.summary
    return BackupEntry(
        id=entry.ref.id,
        epoch=name.epoch,
        sequence=name.sequence,
        taken_at=summary.taken_at if summary else name.taken_at,
        bytes=summary.bytes if summary else 0,
        state=entry.state,
        browser_version=summary.browser_version if summary else "",
        generation=entry.ref.generation,
        kept_because=verdict.reasons if verdict.kept else (),
    )
