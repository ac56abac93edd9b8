"""Walks through the copies of a session, newest first, until one can be put in place.

Unknown is not absent: when the store cannot be asked, the answer is STORE_UNKNOWN and nothing is touched.
"""

from __future__ import annotations

from collections.abc import Callable

from browser_worker.domain.machine import Event
from browser_worker.ports import ProfileDamaged, Remembered
from shared.contracts.backups import BackupFact
from shared.contracts.errors import ServiceError, TryAgain
from shared.contracts.events import SessionRestored
from shared.runtime import get_logger

from .options import Parts

log = get_logger()

NOT_RESTORED = frozenset({"bad", "cleared"})


class Restoring:
    """Remembers what has been tried since the session was last connected, so that no copy is tried twice."""

    def __init__(self, parts: Parts, *, epoch: Callable[[], int]) -> None:
        self._parts = parts
        self._epoch = epoch
        self._tried: set[str] = set()
        self.asked: str | None = None
        """A backup that a person asked for; "" is the newest."""

    def begin_anew(self) -> None:
        self._tried.clear()

    async def restore(self) -> Event:
        """RESTORED, NOTHING_TO_RESTORE or STORE_UNKNOWN. Raises OSError (disk full)."""
        started = self._parts.clock.monotonic()
        version = await self._parts.browser.version()
        if self.asked is None and await self._from_saves(version, started):
            return Event.RESTORED
        return await self._from_backups(version, started)

    async def _from_saves(self, version: str, started: float) -> bool:
        for save in await self._parts.store.saves():
            if save.id in self._tried:
                continue
            self._tried.add(save.id)
            try:
                await self._parts.store.restore_save(save, browser_version=version)
            except ProfileDamaged as error:
                log.warning("save_not_usable", session=self._parts.session, save=save.id, reason=str(error))
                continue
            await self._note("save", save.id, started)
            return True
        return False

    async def _from_backups(self, version: str, started: float) -> Event:
        try:
            backups = await self._parts.backups.backups()
        except ServiceError as error:
            log.warning("store_unknown", session=self._parts.session, code=error.code)
            return Event.STORE_UNKNOWN
        for backup in self._candidates(backups.backups):
            try:
                await self._parts.store.restore_backup(self._parts.backups.source(backup.id), browser_version=version)
            except TryAgain as error:
                log.warning("restore_interrupted", session=self._parts.session, backup=backup.id, code=error.code)
                return Event.STORE_UNKNOWN
            except (ServiceError, ProfileDamaged) as error:
                self._tried.add(backup.id)
                log.warning("backup_not_usable", session=self._parts.session, backup=backup.id, reason=str(error))
                continue
            self._tried.add(backup.id)
            self.asked = None
            await self._note("backup", backup.id, started)
            return Event.RESTORED
        self.asked = None
        return Event.NOTHING_TO_RESTORE

    def _candidates(self, backups: tuple[BackupFact, ...]) -> list[BackupFact]:
        if self.asked:
            return [backup for backup in backups if backup.id == self.asked]
        return restorable(backups, self._parts.memory.load(), self._tried)

    async def _note(self, source: str, snapshot: str, started: float) -> None:
        now = self._parts.clock.now()
        seconds = self._parts.clock.monotonic() - started
        log.info("restored", session=self._parts.session, source=source, copy=snapshot, seconds=round(seconds, 2))
        event = SessionRestored(
            session=self._parts.session, at=now, epoch=self._epoch(), source=source, snapshot=snapshot, seconds=seconds
        )
        await self._parts.publish_event("session", "restored", event)


def restorable(backups: tuple[BackupFact, ...], remembered: Remembered, tried: set[str]) -> list[BackupFact]:
    """Newest first: good, not tried yet, and not from before a `clear`, even if the store has not heard of it."""
    return [
        backup
        for backup in backups
        if backup.state not in NOT_RESTORED and backup.epoch > remembered.cleared_epoch and backup.id not in tried
    ]
