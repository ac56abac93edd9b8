"""Performs the machine's effects on the browser, the profile and the copies. Each ends by posting what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ClassVar

import msgspec

from browser_worker.domain.ladder import Rung, climb, slow_delay
from browser_worker.domain.machine import Effect, Event, RestoreCause
from browser_worker.domain.reading import PageState
from browser_worker.ports import BrowserGone, BrowserHangs, ProfileDamaged
from shared.contracts.backups import BackupTrigger
from shared.contracts.errors import ServiceError
from shared.contracts.events import SessionCleared
from shared.contracts.sessions import BackupsStatus, BrowserStatus, ProfileStatus, SavesStatus, State
from shared.runtime import get_logger

from .context import Context
from .observing import Observer
from .sending import Sending

log = get_logger()

ANCHOR_SECONDS = 3.0
LONGEST_PAUSE = 30.0
"""Seconds between two looks at a store that cannot be asked, or at a disk that gives errors."""
LINKING = frozenset({PageState.PAIRING, PageState.SYNCING})
ON_ITS_WAY = LINKING | {PageState.UNKNOWN, PageState.LOADING, PageState.OFFLINE}
SEND_LOOKS = 24
"""Half seconds, a little longer than a page may take to settle."""


class Effects:
    def __init__(self, context: Context, observer: Observer, sending: Sending) -> None:
        self._context = context
        self._deps = context.deps
        self._observer = observer
        self._sending = sending
        self._taken_over_at = float("-inf")

    async def perform(self, effects: tuple[Effect, ...]) -> bool:
        """In order; a failure ends the row, is posted as an event, and False is returned."""
        for effect in effects:
            try:
                await self._ACTIONS[effect](self)
            except Exception as error:
                # whatever it is, a session must not stand still in silence
                self._failed(effect, error)
                return False
        return True

    def _failed(self, effect: Effect, error: Exception) -> None:
        known = isinstance(error, (BrowserGone, BrowserHangs, ServiceError, ProfileDamaged, OSError))
        log.warning(
            "effect_failed",
            session=self._deps.session,
            effect=effect.value,
            state=self._context.state.value,
            error=f"{type(error).__name__}: {error}"[:300],
            exc_info=None if known else error,
        )
        event = self._failure(effect, error)
        if event is not None:
            self._context.post(event)

    def _failure(self, effect: Effect, error: Exception) -> Event | None:
        """What a failed effect means. A session that is connected is not torn down for want of disk space."""
        if effect is Effect.FIND_PROFILE:
            return Event.PROFILE_UNREADABLE
        if self._context.state is State.RESTORING:
            return Event.RESTORE_FAILED
        if effect in (Effect.SETTLE, Effect.TAKE_OVER, Effect.CONSIDER_TAKE_OVER, Effect.REFRESH_QR):
            return None
        if isinstance(error, BrowserHangs):
            return Event.BROWSER_HANGS
        return Event.BROWSER_GONE if isinstance(error, BrowserGone) else Event.LAUNCH_FAILED

    async def _find_profile(self) -> None:
        moved = await self._deps.store.import_old_profile()
        facts = await self._deps.store.inspect()
        self._context.reporter.set(profile=facts)
        log.info("profile", session=self._deps.session, exists=facts.exists, valid=facts.valid, moved_in=moved)
        if facts.exists and await self._context.restorer.is_behind():
            self._context.post(Event.PROFILE_STALE)
        else:
            self._context.post(_event_of(facts))

    async def _launch(self) -> None:
        with self._context.quietly():
            self._context.launched = False
            freed = await self._deps.store.trim(self._deps.max_bytes)
            if freed:
                log.info("caches_trimmed", session=self._deps.session, freed_bytes=freed)
            carried = await self._deps.store.local_storage_export()
            self._context.launched_at = self._deps.clock.monotonic()
            self._context.launches_since_connected += 1
            try:
                await self._deps.browser.launch(self._deps.store.profile, carried)
            except (BrowserGone, BrowserHangs) as error:
                log.warning("launch_failed", session=self._deps.session, error=str(error) or type(error).__name__)
                self._deps.browser.kill()
                self._context.post(Event.LAUNCH_FAILED)
                return
            self._context.launched = True
            self._context.proven = self._context.reloaded = False
            now = self._deps.clock.now()
            self._context.reporter.set(
                browser=BrowserStatus(version=await self._deps.browser.version(), started_at=now)
            )

    async def _restore(self) -> None:
        await self._context.pay_tombstone()
        cause = self._context.session.restore_cause
        event = await self._context.restorer.restore(login_lost=cause is RestoreCause.LOGIN_LOST)
        facts = await self._deps.store.inspect()
        none_found = event in (Event.NOTHING_TO_RESTORE, Event.STORE_UNKNOWN)
        if none_found and cause is RestoreCause.REQUESTED and facts.valid:
            self._context.restorer.asked = None
            event = Event.KEEP_PROFILE
        elif event is Event.NOTHING_TO_RESTORE and facts.exists and (not facts.valid or self._context.restorer.buried):
            await self._deps.store.set_aside()
        self._context.reporter.set(profile=facts)
        self._context.pauses = 0 if event is Event.RESTORED else self._context.pauses
        self._context.post(event)

    async def _pause(self) -> None:
        self._context.pauses += 1
        seconds = min(LONGEST_PAUSE, self._deps.budget.base_delay * 2.0 ** min(self._context.pauses - 1, 10))
        await self._deps.clock.sleep(seconds * (0.5 + self._deps.jitter() / 2))

    async def _seal(self) -> None:
        """The login is on the disk twice before "connected" is said: carried, and flushed by closing the page. The
        keeper makes up for a save that fails."""
        with self._context.quietly():
            try:
                await self._context.backup_scheduler.carry()
            except OSError as error:
                log.warning("local_storage_not_carried", session=self._deps.session, error=type(error).__name__)
            self._context.remember(linked=True, revoked=False)
            await self._deps.browser.reopen_page()
            try:
                await self._until_connected(self._deps.times.unlink)
                await self._context.backup_scheduler.save(BackupTrigger.LINK)
            except (ServiceError, ProfileDamaged, OSError) as error:
                log.warning("link_not_saved_yet", session=self._deps.session, error=type(error).__name__)
        self._context.backup_scheduler.ask(BackupTrigger.LINK)
        self._context.post(Event.SEALED)

    async def _settle(self) -> None:
        seconds = self._deps.clock.monotonic() - self._context.launched_at
        browser = self._context.reporter.status.browser
        if not browser.connected_after_ms:
            self._context.reporter.set(
                browser=msgspec.structs.replace(browser, connected_after_ms=round(seconds * 1000, 1))
            )
        self._context.restorer.begin_anew()
        self._context.pauses = 0
        await self._context.reporter.publish()
        await self._context.backup_scheduler.carry()
        await self._deps.store.drop_set_aside()
        await self._observer.validate()
        await self._until_sending_works()
        await self._sending.look_up_open()

    async def _until_sending_works(self) -> None:
        for _ in range(SEND_LOOKS):
            await self._observer.measure()
            await self._context.reporter.publish()
            if self._context.reporter.status.browser.send_ok:
                return
            await self._deps.clock.sleep(0.5)

    async def _refresh_qr(self) -> None:
        await self._deps.browser.refresh_qr()
        await self._deps.clock.sleep(2.0)
        self._context.said = None

    async def _climb(self) -> None:
        self._context.attempts += 1
        self._context.reporter.set(reconnect_attempts=self._context.attempts)
        step = climb(
            self._context.session.fault,
            self._context.attempts,
            self._deps.budget,
            self._deps.jitter(),
            launches_since_connected=self._context.launches_since_connected,
        )
        if step is None:
            self._context.post(Event.LADDER_ENDED)
            return
        log.info(
            "rung",
            session=self._deps.session,
            rung=step.rung.value,
            attempt=self._context.attempts,
            delay=round(step.delay, 1),
        )
        await self._context.reporter.publish()
        await self._deps.clock.sleep(step.delay)
        await self._climb_rung(step.rung)
        await self._deps.clock.sleep(self._deps.times.connect)
        self._context.post(Event.STILL_DOWN)

    async def _climb_rung(self, rung: Rung) -> None:
        if rung is Rung.RELOAD and self._context.launched:
            with self._context.quietly():
                await self._deps.browser.reload()
        elif rung is Rung.NEW_PAGE and self._context.launched:
            with self._context.quietly():
                await self._deps.browser.reopen_page()
        elif rung is Rung.RESTORE:
            self._context.post(Event.RESTORE_ASKED)
        elif rung is not Rung.WAIT:
            await self._new_browser()
        self._context.said = None

    async def _new_browser(self) -> None:
        await self._close()
        facts = await self._deps.store.inspect()
        self._context.reporter.set(profile=facts)
        if not facts.valid:
            self._context.post(_event_of(facts))
            return
        await self._launch()

    async def _retry_slowly(self) -> None:
        await self._deps.clock.sleep(slow_delay(self._deps.jitter()))
        await self._new_browser()
        await self._deps.clock.sleep(self._deps.times.connect)
        self._context.post(Event.STILL_DOWN)

    async def _take_over(self) -> None:
        self._taken_over_at = self._deps.clock.monotonic()
        await self._deps.browser.take_over()

    async def _consider_take_over(self) -> None:
        """By itself at most once in a while: two that take over from each other in turn end with a ban."""
        await self._deps.clock.sleep(self._deps.times.take_over)
        left = self._deps.times.take_over_pause - (self._deps.clock.monotonic() - self._taken_over_at)
        if left > 0:
            await self._alert()
            await self._deps.clock.sleep(left)
        await self._take_over()

    async def _forget_link(self) -> None:
        self._context.remember(linked=False, revoked=True)
        self._context.reporter.set(account=None)

    async def _shut_down(self) -> None:
        linked, page = self._context.session.linked, self._context.watch.page
        deadline = self._deps.clock.monotonic() + self._deps.times.stop
        with self._context.quietly():
            if self._context.launched and linked:
                with suppress(BrowserGone, BrowserHangs, OSError, TimeoutError):
                    async with asyncio.timeout(3.0):
                        await self._context.backup_scheduler.carry()
            was_launched, self._context.launched = self._context.launched, False
            await self._deps.browser.close(timeout=min(5.0, self._deps.times.stop / 2))
            # a page that showed a QR at the end must not become the newest copy
            if linked and was_launched and self._context.proven and page in (PageState.CONNECTED, PageState.OFFLINE):
                await self._last_copies(deadline - self._deps.clock.monotonic())
        await self._context.reporter.publish()

    async def _last_copies(self, seconds: float) -> None:
        try:
            await self._context.backup_scheduler.last(timeout=max(1.0, seconds))
        except (ServiceError, ProfileDamaged, OSError, TimeoutError) as error:
            code = error.code if isinstance(error, ServiceError) else type(error).__name__
            log.warning("last_copy_incomplete", session=self._deps.session, code=code)

    async def _close(self) -> None:
        with self._context.quietly():
            self._context.launched = False
            await self._close_or_kill()

    async def _kill(self) -> None:
        self._context.launched = False
        self._deps.browser.kill()

    async def _alert(self) -> None:
        log.error(
            "needs_attention",
            session=self._deps.session,
            state=self._context.session.state.value,
            reason=self._context.session.reason,
        )

    async def _wipe(self) -> None:
        with self._context.quietly():
            unlinked = await self._unlink()
            self._context.launched = False
            await self._close_or_kill()
            # the tombstone must name the store's epoch: the lease's starts again when NATS loses its data
            with suppress(TimeoutError):
                async with asyncio.timeout(ANCHOR_SECONDS):
                    await self._context.anchored.wait()
            self._context.remember(linked=False, revoked=False, cleared_epoch=self._context.epoch, tombstone_owed=True)
            await self._deps.store.wipe()
            await self._context.pay_tombstone()
        now = self._deps.clock.now()
        log.info("session_cleared", session=self._deps.session, unlinked=unlinked)
        detail = (
            "" if unlinked else " The phone could not be reached: remove the device there by hand, if it is listed."
        )
        self._context.reporter.set(
            account=None,
            profile=await self._deps.store.inspect(),
            saves=SavesStatus(),
            backups=BackupsStatus(),
            browser=BrowserStatus(),
            detail=f"{self._context.reporter.status.detail}{detail}",
        )
        event = SessionCleared(session=self._deps.session, at=now, epoch=self._context.epoch, unlinked=unlinked)
        await self._deps.publish_event("session", "cleared", event)

    async def _unlink(self) -> bool:
        """Log out at the phone, starting the browser for it when a login is known to exist, and waiting for a page that
        is still on its way. A link that is just being made is undone as well."""
        linked = self._context.remembered.linked or self._context.session.linked
        try:
            if linked:
                await self._bring_a_page()
            if self._context.launched and await self._connects(ON_ITS_WAY if linked else LINKING):
                return await self._deps.browser.unlink()
        except (BrowserGone, BrowserHangs, OSError) as error:
            log.warning("not_unlinked", session=self._deps.session, error=type(error).__name__)
        return False

    async def _bring_a_page(self) -> None:
        """Work on the page may have been cut off in the middle, and have left none or an empty one."""
        if self._context.launched:
            try:
                if (await self._deps.browser.read()).state is PageState.UNKNOWN:
                    await self._deps.browser.reload()
                return
            except BrowserGone:
                self._context.launched = False
                await self._close_or_kill()
        if (await self._deps.store.inspect()).valid:
            await self._deps.browser.launch(self._deps.store.profile, await self._deps.store.local_storage_export())
            self._context.launched = True

    async def _connects(self, on_its_way: frozenset[PageState]) -> bool:
        """False as soon as the page shows that it will not."""
        deadline = self._deps.clock.monotonic() + self._deps.times.unlink
        while (state := (await self._deps.browser.read()).state) in on_its_way:
            if self._deps.clock.monotonic() >= deadline:
                return False
            await self._deps.clock.sleep(0.2)
        return state is PageState.CONNECTED

    async def _until_connected(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while (await self._deps.browser.read()).state is not PageState.CONNECTED:
                await self._deps.clock.sleep(0.2)

    async def _close_or_kill(self) -> None:
        try:
            await self._deps.browser.close(timeout=5.0)
        except (BrowserGone, BrowserHangs, OSError):
            self._deps.browser.kill()

    _ACTIONS: ClassVar[dict[Effect, Callable[[Effects], Awaitable[None]]]] = {
        Effect.FIND_PROFILE: _find_profile,
        Effect.LAUNCH: _launch,
        Effect.RESTORE: _restore,
        Effect.PAUSE: _pause,
        Effect.SEAL: _seal,
        Effect.SETTLE: _settle,
        Effect.REFRESH_QR: _refresh_qr,
        Effect.CLIMB: _climb,
        Effect.RETRY_SLOWLY: _retry_slowly,
        Effect.TAKE_OVER: _take_over,
        Effect.CONSIDER_TAKE_OVER: _consider_take_over,
        Effect.FORGET_LINK: _forget_link,
        Effect.SHUT_DOWN: _shut_down,
        Effect.CLOSE: _close,
        Effect.KILL: _kill,
        Effect.WIPE: _wipe,
        Effect.ALERT: _alert,
    }


def _event_of(facts: ProfileStatus) -> Event:
    if not facts.exists:
        return Event.PROFILE_NONE
    return Event.PROFILE_GOOD if facts.valid else Event.PROFILE_BAD
