"""Ends a session on this worker: with its last copies after a stop, unlinked and wiped after a clear."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from browser_worker.domain.budgets import close_seconds, export_seconds
from browser_worker.domain.reading import PageState
from browser_worker.domain.session import Fact
from browser_worker.ports import BrowserGone, BrowserHangs, ProfileDamaged
from browser_worker.runner.context import Context
from browser_worker.runner.tombstone import write_tombstone
from shared.contracts.errors import ServiceError
from shared.contracts.events import SessionCleared
from shared.contracts.sessions import BackupsStatus, BrowserStatus, SavesStatus
from shared.runtime import get_logger

from .browser import BrowserEffects

log = get_logger()

LOOK_SECONDS = 0.2
ANCHOR_SECONDS = 3.0
LINKING = frozenset({PageState.PAIRING, PageState.SYNCING})
NOT_OPEN = frozenset({PageState.UNKNOWN, PageState.BLANK, PageState.ELSEWHERE})
ON_ITS_WAY = LINKING | NOT_OPEN | {PageState.LOADING, PageState.OFFLINE}
NOT_UNLINKED = " The phone could not be reached: remove the device there by hand, if it is listed."


class EndingEffects:
    def __init__(self, context: Context, browser: BrowserEffects) -> None:
        self._context = context
        self._deps = context.deps
        self._browser = browser

    async def shut_down(self) -> None:
        """Close the browser, then copy the profile at rest. A page that showed a QR at the end becomes no copy."""
        context, deps = self._context, self._deps
        session, page = context.session, context.polling.watch.page
        deadline = deps.clock.monotonic() + deps.times.stop
        with context.polling.suspended_polling():
            if session.launched and session.linked:
                with suppress(BrowserGone, BrowserHangs, OSError, TimeoutError):
                    async with asyncio.timeout(export_seconds(deps.times.stop)):
                        await context.backup_scheduler.export_local_storage()
            context.note(Fact.BROWSER_ENDED)
            await deps.browser.close(timeout=close_seconds(deps.times.stop))
            worked = session.linked and session.launched and session.connected_since_launch
            if worked and page in (PageState.CONNECTED, PageState.OFFLINE):
                await self._make_final_copies(deadline - deps.clock.monotonic())
        await context.reporter.publish()

    async def _make_final_copies(self, seconds: float) -> None:
        try:
            await self._context.backup_scheduler.make_final_copies(timeout=max(1.0, seconds))
        except (ServiceError, ProfileDamaged, OSError, TimeoutError) as error:
            code = error.code if isinstance(error, ServiceError) else type(error).__name__
            log.warning("last_copy_incomplete", session=self._deps.session, code=code)

    async def wipe(self) -> None:
        """Unlink at the phone, wipe everything local, tell the object store. The durable record is written before the
        wipe: a crash in between must not bring the session back. Raises OSError."""
        context, deps = self._context, self._deps
        with context.polling.suspended_polling():
            unlinked = await self._unlink()
            context.note(Fact.BROWSER_ENDED)
            await self._browser.close_or_kill()
            await self._wait_for_anchor()
            context.note(Fact.WIPED)
            await deps.profile_store.wipe()
            await write_tombstone(context)
        log.info("session_cleared", session=deps.session, unlinked=unlinked)
        context.reporter.set(
            account=None,
            profile=await deps.profile_store.inspect(),
            saves=SavesStatus(),
            backups=BackupsStatus(),
            browser=BrowserStatus(),
            detail=context.reporter.status.detail + ("" if unlinked else NOT_UNLINKED),
        )
        event = SessionCleared(
            session=deps.session, at=deps.clock.now(), epoch=context.session.epoch, unlinked=unlinked
        )
        await deps.publish_event("session", "cleared", event)

    async def _wait_for_anchor(self) -> None:
        """The tombstone must name the object store's epoch: the lease's begins again when NATS has lost its data."""
        deadline = self._deps.clock.monotonic() + ANCHOR_SECONDS
        while not self._context.session.anchored and self._deps.clock.monotonic() < deadline:
            await self._deps.clock.sleep(LOOK_SECONDS)

    async def _unlink(self) -> bool:
        """Log out at the phone. A browser is started for this when a login is known to exist, and a page that is still
        on its way is waited for. A link that is just being made is undone as well."""
        linked = self._context.session.linked
        try:
            if linked:
                await self._bring_a_page()
            if self._context.session.launched and await self._connects(ON_ITS_WAY if linked else LINKING):
                return await self._deps.browser.unlink()
        except (BrowserGone, BrowserHangs, OSError) as error:
            log.warning("not_unlinked", session=self._deps.session, error=type(error).__name__)
        return False

    async def _bring_a_page(self) -> None:
        """Work on the page may have been cut off in the middle, and have left no page or an empty one."""
        context, deps = self._context, self._deps
        if context.session.launched:
            try:
                if (await deps.browser.read()).state in NOT_OPEN:
                    await deps.browser.reload()
                return
            except BrowserGone:
                context.note(Fact.BROWSER_ENDED)
                await self._browser.close_or_kill()
        if (await deps.profile_store.inspect()).valid:
            context.note(Fact.LAUNCHING)
            await deps.browser.launch(deps.profile_store.profile, await deps.profile_store.local_storage_export())
            context.note(Fact.LAUNCHED)

    async def _connects(self, on_its_way: frozenset[PageState]) -> bool:
        """False as soon as the page shows that it will not connect."""
        deadline = self._deps.clock.monotonic() + self._deps.times.unlink
        while (state := (await self._deps.browser.read()).state) in on_its_way:
            if self._deps.clock.monotonic() >= deadline:
                return False
            await self._deps.clock.sleep(LOOK_SECONDS)
        return state is PageState.CONNECTED
