"""What the commands of the bus do to an owned session. Every answer comes within the caller's deadline."""

from __future__ import annotations

import asyncio

import msgspec

from browser_worker.domain.details import DETAILS
from browser_worker.domain.events import Event
from browser_worker.ports import BrowserGone, BrowserHangs, PageElsewhere, ProfileDamaged
from shared.contracts.backups import BackupTrigger
from shared.contracts.budgets import PROBE_SECONDS
from shared.contracts.commands import BackedUp, Checked, PairingCode
from shared.contracts.errors import Conflict, NotFound, ServiceError, TimedOut, Unavailable
from shared.contracts.sessions import Reason, State
from shared.runtime import get_logger

from .context import Context
from .observer import Observer
from .restorer import restorable
from .sending import Sending

log = get_logger()

PAIRING_CODE_SECONDS = 195
"""How long WhatsApp accepts a pairing code (wa-js 4.6.0, startLinkDeviceCodeForPhoneNumber)."""


class Control:
    """Fulfils ports.SessionControl."""

    def __init__(self, context: Context, observer: Observer, sending: Sending) -> None:
        self._context = context
        self._deps = context.deps
        self._observer = observer
        self.sender = sending

    @property
    def page_lock(self) -> asyncio.Lock:
        """Held by whoever makes the page do something that takes a while."""
        return self._context.page_lock

    async def check(self, *, back_up: bool) -> Checked:
        probe_ok = await self._probe()
        await self._observer.validate()
        await self._observer.measure()
        started = back_up and self._context.state is State.CONNECTED
        if started:
            self._context.backup_scheduler.request(BackupTrigger.CHECK)
        await self._context.reporter.publish()
        return Checked(status=self._context.reporter.status, probe_ok=probe_ok, backup_started=started)

    async def _probe(self) -> bool:
        if not self._context.session.launched or self._context.polling.suspended:
            return False
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._deps.browser.read()
        except (BrowserGone, BrowserHangs, TimeoutError):
            return False
        return True

    async def pair_phone(self, number: str) -> PairingCode:
        if self._context.state is not State.PAIRING:
            raise Conflict(
                f"there is nothing to link now (the session is {self._context.state.value})",
                hint="initialize first; a connected session needs no link",
            )
        try:
            async with self._context.page_lock:
                code = await self._deps.browser.pairing_code(number)
        except BrowserGone as error:
            raise Unavailable(
                "the browser is not there at the moment", hint="the worker restarts it; try again in a moment"
            ) from error
        except PageElsewhere as error:
            raise Conflict(
                "the page left WhatsApp Web; there is no code now",
                code=Reason.PAGE_ELSEWHERE,
                hint=DETAILS[Reason.PAGE_ELSEWHERE],
            ) from error
        except (BrowserHangs, TimeoutError) as error:
            raise TimedOut(
                "WhatsApp gave no pairing code in time", hint="try again in a minute, or scan the QR"
            ) from error
        await self._report_pairing_code(code)
        return PairingCode(code=code, valid_seconds=PAIRING_CODE_SECONDS)

    async def _report_pairing_code(self, code: str) -> None:
        reporter, now = self._context.reporter, self._deps.clock.now()
        pairing = msgspec.structs.replace(reporter.status.pairing, pairing_code=code, pairing_code_at=now)
        reporter.set(pairing=pairing)
        await reporter.publish()

    async def back_up(self) -> BackedUp:
        try:
            stored = await self._context.backup_scheduler.back_up(BackupTrigger.REQUEST)
        except (ProfileDamaged, OSError, BrowserGone, BrowserHangs) as error:
            raise ServiceError(f"the snapshot failed: {type(error).__name__}", code="snapshot_failed") from error
        finally:
            await self._context.reporter.publish()
        return BackedUp(outcome="unchanged" if stored.unchanged else "stored", backup_id=stored.backup)

    async def restore(self, backup_id: str) -> None:
        if self._context.state in (State.STOPPED, State.RESTORING):
            raise Conflict("a restore is under way already")
        await self._must_exist(backup_id)
        self._context.restorer.requested_backup = backup_id
        self._context.post(Event.RESTORE_ASKED)

    async def _must_exist(self, backup_id: str) -> None:
        """A session that runs is not taken down if the backup cannot be fetched. Raises NotFound, Unavailable."""
        listing = await self._deps.backups.backups(for_a_person=bool(backup_id))
        good = [backup.id for backup in restorable(listing.backups, self._context.session.cleared_epoch)]
        if backup_id not in good and (backup_id or not good):
            raise NotFound("there is no such backup that can be restored", hint="persistent-session backups lists them")

    async def read_chunk(self, snapshot: str, sha256: str) -> bytes:
        return await self._deps.profile_store.read_chunk(snapshot, sha256)
