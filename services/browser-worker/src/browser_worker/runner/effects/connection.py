"""Seals a link, confirms a connection, keeps the QR young, and answers a login elsewhere."""

from __future__ import annotations

import asyncio

from browser_worker.domain.events import Event
from browser_worker.domain.reading import PageState
from browser_worker.ports import ProfileDamaged
from browser_worker.runner.context import Context
from browser_worker.runner.observer import Observer
from browser_worker.runner.sending import Sending
from shared.contracts.backups import BackupTrigger
from shared.contracts.errors import ServiceError
from shared.runtime import get_logger

log = get_logger()

LOOK_SECONDS = 0.2
SEND_LOOKS = 24
SEND_LOOK_SECONDS = 0.5
"""The page's send functions come up to ten seconds after its connection; the looks last a little longer."""
NEW_QR_SECONDS = 2.0


class ConnectionEffects:
    def __init__(self, context: Context, observer: Observer, sending: Sending) -> None:
        self._context = context
        self._deps = context.deps
        self._observer = observer
        self._sending = sending
        self._taken_over_at = float("-inf")

    async def seal(self) -> None:
        """The login is on the disk twice before "connected" is said: as a local-storage export, and flushed because the
        old page is closed. The backup scheduler makes up for a save that fails."""
        context, deps = self._context, self._deps
        with context.polling.suspended_polling():
            try:
                await context.backup_scheduler.export_local_storage()
            except OSError as error:
                log.warning("local_storage_not_exported", session=deps.session, error=type(error).__name__)
            await deps.browser.reopen_page()
            try:
                await self._until_connected(deps.times.unlink)
                await context.backup_scheduler.save(BackupTrigger.LINK)
            except (ServiceError, ProfileDamaged, OSError) as error:
                log.warning("link_not_saved_yet", session=deps.session, error=type(error).__name__)
        context.backup_scheduler.request(BackupTrigger.LINK)
        context.post(Event.SEALED)

    async def _until_connected(self, seconds: float) -> None:
        """Raises TimeoutError, BrowserGone, BrowserHangs."""
        async with asyncio.timeout(seconds):
            while (await self._deps.browser.read()).state is not PageState.CONNECTED:
                await self._deps.clock.sleep(LOOK_SECONDS)

    async def confirm_connected(self) -> None:
        """Publish the connection, make it durable, and wait until messages can be sent."""
        context = self._context
        context.reporter.launch_connected()
        context.restorer.begin_anew()
        await context.reporter.publish()
        await context.backup_scheduler.export_local_storage()
        await self._deps.profile_store.drop_set_aside()
        await self._observer.validate()
        await self._until_sending_works()
        await self._sending.look_up_open()

    async def _until_sending_works(self) -> None:
        for _ in range(SEND_LOOKS):
            await self._observer.measure()
            await self._context.reporter.publish()
            if self._context.reporter.status.browser.send_ok:
                return
            await self._deps.clock.sleep(SEND_LOOK_SECONDS)

    async def refresh_qr(self) -> None:
        await self._deps.browser.refresh_qr()
        await self._deps.clock.sleep(NEW_QR_SECONDS)
        self._context.polling.forget_posted()

    async def take_over(self) -> None:
        self._taken_over_at = self._deps.clock.monotonic()
        await self._deps.browser.take_over()

    async def consider_take_over(self) -> None:
        """Unasked at most once in a while: two programs that take over from each other in turn end with a ban."""
        clock, times = self._deps.clock, self._deps.times
        await clock.sleep(times.take_over)
        left = times.take_over_pause - (clock.monotonic() - self._taken_over_at)
        if left > 0:
            self._context.reporter.alert(self._context.session)
            await clock.sleep(left)
        await self.take_over()
