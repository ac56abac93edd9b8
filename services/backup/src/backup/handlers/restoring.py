"""What exists, and its bytes: the half of the service that a restore uses. It changes nothing.

The trap: an answer means that the store was asked. Whatever cannot be known is an error, never an empty list.
"""

from __future__ import annotations

from backup.domain.manifests import is_chunk
from backup.domain.retention import Candidate, Policy, judge
from backup.ports import Catalogue, Reports, Shelf, Shelved
from shared.clock import Clock
from shared.contracts.backups import BackupEntry, Backups, FetchChunk, FetchManifest
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.snapshots import CHUNK_BYTES


class Restoring:
    def __init__(self, shelf: Shelf, reports: Reports, clock: Clock, policy: Policy) -> None:
        self._shelf = shelf
        self._reports = reports
        self._clock = clock
        self._policy = policy

    async def backups(self, session: str) -> Backups:
        catalogue = await self._shelf.catalogue(session)
        if catalogue.grave_damaged:
            raise Unavailable(
                "the session's tombstone is damaged, so it is unknown which backups were cleared",
                hint="clear the session again, or remove its tombstone.json",
                code="tombstone_damaged",
            )
        reasons = self._reasons(catalogue)
        return Backups(
            backups=tuple(_fact(item, reasons[item.ref.id]) for item in _each_once(catalogue)),
            stored_bytes=catalogue.inventory.bytes,
            tombstoned_at=catalogue.grave.tombstoned_at if catalogue.grave else None,
        )

    async def manifest_part(self, session: str, ask: FetchManifest) -> bytes:
        if ask.offset < 0:
            raise Invalid("the offset is negative")
        manifest = await self._shelf.manifest(session, ask.backup)
        return manifest.manifest[ask.offset : ask.offset + CHUNK_BYTES]

    async def chunk(self, session: str, ask: FetchChunk) -> bytes:
        if not is_chunk(ask.sha256):
            raise Invalid("a chunk's name is no SHA-256")
        chunk = await self._shelf.chunk(session, ask.backup, ask.sha256)
        self._reports.served(len(chunk))
        return chunk

    def _reasons(self, catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
        candidates = [candidate(item) for item in _each_once(catalogue)]
        tombstoned_at = catalogue.grave.tombstoned_at if catalogue.grave else None
        verdicts = judge(candidates, self._policy, self._clock.now(), tombstoned_at=tombstoned_at)
        return {verdict.id: verdict.reasons if verdict.keep else () for verdict in verdicts}


def candidate(item: Shelved) -> Candidate:
    name = item.ref.name
    return Candidate(item.ref.id, (name.epoch, name.sequence), name.taken_at, item.state)


def _each_once(catalogue: Catalogue) -> list[Shelved]:
    """Two replicas that stored one snapshot at once made one backup in two places: the good one counts."""
    found: dict[str, Shelved] = {}
    for item in catalogue.backups:
        present = found.get(item.ref.id)
        if present is None or (item.good and not present.good):
            found[item.ref.id] = item
    return list(found.values())


def _fact(item: Shelved, reasons: tuple[str, ...]) -> BackupEntry:
    name, summary = item.ref.name, item.summary
    return BackupEntry(
        id=item.ref.id,
        epoch=name.epoch,
        sequence=name.sequence,
        taken_at=summary.taken_at if summary else name.taken_at,
        bytes=summary.bytes if summary else 0,
        state=item.state,
        browser_version=summary.browser_version if summary else "",
        generation=item.ref.generation,
        kept_because=reasons,
    )
