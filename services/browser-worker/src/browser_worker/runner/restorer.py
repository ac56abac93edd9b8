"""Walks through the copies of a session, newest first, until one can be put in place of the profile.

Which copy is believed. The saves on this disk come first: they are near and as new as this worker's last minutes. When
another worker has owned the session since, everything on this disk may be older than the newest backup, so the object
store is asked first, and the saves serve only when it holds no copy. A `clear` that was carried out elsewhere makes
everything on this disk useless.

Unknown is not absent. An object store that cannot be asked, or that fails in the middle, says nothing about the
backups: the answer is STORE_UNKNOWN and nothing is touched. Only a listing that was read and holds no usable copy gives
NOTHING_TO_RESTORE, and only then may a QR be shown. A copy that a newer browser made is sound, so it gives
BROWSER_TOO_OLD, and no QR either. Where it is unknown which backups were cleared, the answer is TOMBSTONE_UNVERIFIED:
then only a backup that a person has named is restored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from browser_worker.domain.events import Event
from browser_worker.domain.session import LOGINS_TRIED, Session
from browser_worker.ports import BrowserTooOld, ProfileDamaged
from shared.contracts.backups import BackupEntry, Backups, FailureCode
from shared.contracts.errors import Refused, ServiceError
from shared.contracts.events import SessionRestored
from shared.runtime import get_logger

from .dependencies import Dependencies

log = get_logger()

LISTING_SECONDS = 3.0
"""A start with a profile on disk waits this long for the object store, and then goes on without it."""


class Restorer:
    """Remembers which copies were tried since the session was last connected, so that no copy is tried twice."""

    def __init__(self, deps: Dependencies, *, session: Callable[[], Session]) -> None:
        self._deps = deps
        self._session = session
        self._tried: set[str] = set()
        self._too_new = False
        self.cleared_elsewhere = False
        """A `clear` was carried out elsewhere since this worker had the session: its copies are from before that."""
        self.requested_backup: str | None = None
        """A backup that a person asked for; "" is the newest."""

    def begin_anew(self) -> None:
        """The session is connected: every copy may be tried again."""
        self._tried.clear()
        self.cleared_elsewhere = False

    async def is_behind(self) -> bool:
        """Whether the object store holds a newer life of this session than this disk, or knows that the session was
        cleared. An unknown store says no, because a session on disk must start without the store."""
        if not self._session().owned_elsewhere:
            return False
        try:
            async with asyncio.timeout(LISTING_SECONDS):
                listing = await self._deps.backups.backups()
        except (ServiceError, TimeoutError):
            return False
        self._note_clear(listing)
        newest = restorable(listing.backups, self._session().cleared_epoch)
        return self.cleared_elsewhere or (bool(newest) and newest[0].epoch > self._session().previous_epoch)

    def _note_clear(self, listing: Backups) -> None:
        session = self._session()
        if session.owned_elsewhere:
            since = max(session.previous_epoch, session.cleared_epoch + 1)
            self.cleared_elsewhere = listing.tombstone_epoch >= since

    async def restore(self, *, login_lost: bool = False) -> Event:
        """RESTORED, NOTHING_TO_RESTORE, STORE_UNKNOWN, TOMBSTONE_UNVERIFIED, COPIES_USELESS or BROWSER_TOO_OLD. Raises
        OSError."""
        tried = self._session().logins_restored
        if login_lost and tried >= LOGINS_TRIED:
            return Event.COPIES_USELESS
        event = await self._restore()
        return Event.COPIES_USELESS if login_lost and tried and event is Event.NOTHING_TO_RESTORE else event

    async def _restore(self) -> Event:
        started, self._too_new = self._deps.clock.monotonic(), False
        version = await self._deps.browser.version()
        elsewhere = self._session().owned_elsewhere
        if self.requested_backup is None and not elsewhere and await self._from_saves(version, started):
            return Event.RESTORED
        event = await self._from_backups(version, started)
        saves_serve = elsewhere and not self.cleared_elsewhere and event is not Event.TOMBSTONE_UNVERIFIED
        if event is not Event.RESTORED and saves_serve and await self._from_saves(version, started):
            return Event.RESTORED
        return Event.BROWSER_TOO_OLD if event is Event.NOTHING_TO_RESTORE and self._too_new else event

    async def _from_saves(self, version: str, started: float) -> bool:
        for save in await self._deps.profile_store.saves():
            if save.id in self._tried:
                continue
            try:
                await self._deps.profile_store.restore_save(save, browser_version=version)
            except ProfileDamaged as error:
                self._pass_over(save.id, error)
                log.warning("save_not_usable", session=self._deps.session, save=save.id, reason=str(error))
                continue
            await self._note_restored("save", save.id, started)
            return True
        return False

    async def _from_backups(self, version: str, started: float) -> Event:
        try:
            listing = await self._deps.backups.backups(for_a_person=bool(self.requested_backup))
        except ServiceError as error:
            log.warning("store_unknown", session=self._deps.session, code=error.code)
            unverified = error.code == FailureCode.TOMBSTONE_UNVERIFIED
            return Event.TOMBSTONE_UNVERIFIED if unverified else Event.STORE_UNKNOWN
        self._note_clear(listing)
        for backup in self._candidates(listing.backups):
            try:
                source = self._deps.backups.source(backup.id)
                await self._deps.profile_store.restore_backup(source, browser_version=version)
            except (Refused, ProfileDamaged) as error:
                self._pass_over(backup.id, error)
                log.warning("backup_not_usable", session=self._deps.session, backup=backup.id, reason=str(error))
                continue
            except ServiceError as error:
                # an error that nobody foresaw says nothing about the backup
                log.warning("restore_interrupted", session=self._deps.session, backup=backup.id, code=error.code)
                return Event.STORE_UNKNOWN
            self.requested_backup = None
            await self._note_restored("backup", backup.id, started)
            return Event.RESTORED
        self.requested_backup = None
        return Event.NOTHING_TO_RESTORE

    def _pass_over(self, copy: str, error: Exception) -> None:
        """A copy that is only too new for this browser is sound, and may be tried again."""
        if isinstance(error, BrowserTooOld):
            self._too_new = True
        else:
            self._tried.add(copy)

    def _candidates(self, backups: tuple[BackupEntry, ...]) -> list[BackupEntry]:
        if self.requested_backup:
            return [backup for backup in backups if backup.id == self.requested_backup]
        usable = restorable(backups, self._session().cleared_epoch)
        return [backup for backup in usable if backup.id not in self._tried]

    async def _note_restored(self, source: str, copy: str, started: float) -> None:
        self._tried.add(copy)
        seconds = self._deps.clock.monotonic() - started
        log.info("restored", session=self._deps.session, source=source, copy=copy, seconds=round(seconds, 2))
        event = SessionRestored(
            session=self._deps.session,
            at=self._deps.clock.now(),
            epoch=self._session().epoch,
            source=source,
            snapshot=copy,
            seconds=seconds,
        )
        await self._deps.publish_event("session", "restored", event)


def restorable(backups: tuple[BackupEntry, ...], cleared_epoch: int) -> list[BackupEntry]:
    """Newest first: good, and not from before a `clear`, even if the object store has not heard of the clear."""
    return [backup for backup in backups if backup.restorable and backup.epoch > cleared_epoch]
