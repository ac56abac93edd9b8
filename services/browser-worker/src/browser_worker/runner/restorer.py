"""Walks through the copies of a session, newest first, until one can be put in place.

Unknown is not absent: when the store cannot be asked, the answer is STORE_UNKNOWN and nothing is touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from browser_worker.domain.machine import Event
from browser_worker.ports import BrowserTooOld, DurableRecord, ProfileDamaged
from shared.contracts.backups import BackupEntry, BackupState
from shared.contracts.errors import Refused, ServiceError
from shared.contracts.events import SessionRestored
from shared.runtime import get_logger

from .dependencies import Dependencies

log = get_logger()

LOGINS_TRIED = 3
"""Copies put in place for a lost login before it is believed that the phone has revoked it."""
ASK_SECONDS = 3.0


class Restorer:
    """Remembers what has been tried since the session was last connected, so that no copy is tried twice.

    `known_epoch`: set when other workers owned the session since; what this machine holds may then be older than the
    store's newest backup, and its saves are not used before that."""

    def __init__(self, deps: Dependencies, *, epoch: Callable[[], int], known_epoch: int | None = None) -> None:
        self._deps = deps
        self._epoch = epoch
        self._known_epoch = known_epoch
        self._tried: set[str] = set()
        self._logins_tried = 0
        self._too_old = False
        self.buried = False
        """A `clear` was carried out elsewhere since this machine had the session: what it holds is from before that."""
        self.asked: str | None = None
        """A backup that a person asked for; "" is the newest."""

    def begin_anew(self) -> None:
        self._tried.clear()
        self._logins_tried = 0
        self._known_epoch = None
        self.buried = False

    async def is_behind(self) -> bool:
        """Whether the store holds a newer life of this session than this machine, or knows that this one was cleared.
        An unknown store says no: a local session must start without it."""
        if self._known_epoch is None:
            return False
        try:
            async with asyncio.timeout(ASK_SECONDS):
                found = await self._deps.backups.backups()
        except (ServiceError, TimeoutError):
            return False
        self._note_grave(found.backups)
        newest = restorable(found.backups, self._deps.durable_record.load(), set())
        return self.buried or (bool(newest) and newest[0].epoch > self._known_epoch)

    def _note_grave(self, backups: tuple[BackupEntry, ...]) -> None:
        known, remembered = self._known_epoch, self._deps.durable_record.load()
        if known is not None:
            since = max(known, remembered.cleared_epoch + 1)
            self.buried = any(backup.state == BackupState.CLEARED and backup.epoch >= since for backup in backups)

    async def restore(self, *, login_lost: bool = False) -> Event:
        """RESTORED, NOTHING_TO_RESTORE, STORE_UNKNOWN, COPIES_USELESS or BROWSER_TOO_OLD. Raises OSError."""
        if login_lost and self._logins_tried >= LOGINS_TRIED:
            return Event.COPIES_USELESS
        event = await self._restore()
        if login_lost and event is Event.RESTORED:
            self._logins_tried += 1
        elif login_lost and event is Event.NOTHING_TO_RESTORE and self._logins_tried:
            return Event.COPIES_USELESS
        return event

    async def _restore(self) -> Event:
        started, self._too_old = self._deps.clock.monotonic(), False
        version = await self._deps.browser.version()
        local = self.asked is None and self._known_epoch is None
        if local and await self._from_saves(version, started):
            return Event.RESTORED
        event = await self._from_backups(version, started)
        old_saves = self._known_epoch is not None and not self.buried
        if event is not Event.RESTORED and old_saves and await self._from_saves(version, started):
            return Event.RESTORED
        return Event.BROWSER_TOO_OLD if event is Event.NOTHING_TO_RESTORE and self._too_old else event

    async def _from_saves(self, version: str, started: float) -> bool:
        for save in await self._deps.store.saves():
            if save.id in self._tried:
                continue
            try:
                await self._deps.store.restore_save(save, browser_version=version)
            except ProfileDamaged as error:
                self._refused(save.id, error)
                log.warning("save_not_usable", session=self._deps.session, save=save.id, reason=str(error))
                continue
            self._tried.add(save.id)
            await self._note("save", save.id, started)
            return True
        return False

    async def _from_backups(self, version: str, started: float) -> Event:
        try:
            backups = await self._deps.backups.backups()
        except ServiceError as error:
            log.warning("store_unknown", session=self._deps.session, code=error.code)
            return Event.STORE_UNKNOWN
        self._note_grave(backups.backups)
        for backup in self._candidates(backups.backups):
            try:
                await self._deps.store.restore_backup(self._deps.backups.source(backup.id), browser_version=version)
            except (Refused, ProfileDamaged) as error:
                self._refused(backup.id, error)
                log.warning("backup_not_usable", session=self._deps.session, backup=backup.id, reason=str(error))
                continue
            except ServiceError as error:
                # an error that nobody foresaw says nothing about the backup
                log.warning("restore_interrupted", session=self._deps.session, backup=backup.id, code=error.code)
                return Event.STORE_UNKNOWN
            self._tried.add(backup.id)
            self.asked = None
            await self._note("backup", backup.id, started)
            return Event.RESTORED
        self.asked = None
        return Event.NOTHING_TO_RESTORE

    def _refused(self, copy: str, error: Exception) -> None:
        """A copy that is only too new for this browser is sound, and no reason to show a QR."""
        self._tried.add(copy)
        if isinstance(error, BrowserTooOld):
            self._tried.discard(copy)
            self._too_old = True

    def _candidates(self, backups: tuple[BackupEntry, ...]) -> list[BackupEntry]:
        if self.asked:
            return [backup for backup in backups if backup.id == self.asked]
        return restorable(backups, self._deps.durable_record.load(), self._tried)

    async def _note(self, source: str, snapshot: str, started: float) -> None:
        now = self._deps.clock.now()
        seconds = self._deps.clock.monotonic() - started
        log.info("restored", session=self._deps.session, source=source, copy=snapshot, seconds=round(seconds, 2))
        event = SessionRestored(
            session=self._deps.session,
            at=now,
            epoch=self._epoch(),
            source=source,
            snapshot=snapshot,
            seconds=seconds,
        )
        await self._deps.publish_event("session", "restored", event)


def restorable(backups: tuple[BackupEntry, ...], remembered: DurableRecord, tried: set[str]) -> list[BackupEntry]:
    """Newest first: good, not tried yet, and not from before a `clear`, even if the store has not heard of it."""
    return [
        backup
        for backup in backups
        if backup.restorable and backup.epoch > remembered.cleared_epoch and backup.id not in tried
    ]
