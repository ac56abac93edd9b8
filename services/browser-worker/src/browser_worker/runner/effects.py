"""Performs the machine's effects on the browser, the profile and the copies. Each ends by posting what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ClassVar

import msgspec

from browser_worker.domain.ladder import Rung, climb, slow_delay
from browser_worker.domain.machine import Effect, Event, Fault
from browser_worker.domain.reading import PageState
from browser_worker.ports import BrowserGone, BrowserHangs, ProfileDamaged
from shared.contracts.errors import ServiceError
from shared.contracts.events import SessionCleared
from shared.contracts.sessions import BackupFacts, BrowserFacts, SaveFacts
from shared.runtime import get_logger

from .context import Context
from .observing import Observer

log = get_logger()

SEND_LOOKS = 24
"""Half seconds, a little longer than a page may take to settle."""


class Effects:
    def __init__(self, context: Context, observer: Observer) -> None:
        self._context = context
        self._parts = context.parts
        self._observer = observer
        self._taken_over_at = float("-inf")

    async def perform(self, effects: tuple[Effect, ...]) -> None:
        """In order; a failure ends the row and is posted as an event."""
        for effect in effects:
            try:
                await self._ACTIONS[effect](self)
            except (BrowserGone, BrowserHangs, ServiceError, ProfileDamaged, OSError) as error:
                self._failed(effect, error)
                return

    def _failed(self, effect: Effect, error: Exception) -> None:
        """TimeoutError is an OSError; it comes from the browser here."""
        log.warning(
            "effect_failed", session=self._parts.session, effect=effect.value, error=str(error) or type(error).__name__
        )
        if isinstance(error, BrowserHangs):
            self._context.post(Event.BROWSER_HANGS)
        elif isinstance(error, BrowserGone):
            self._context.post(Event.BROWSER_GONE)
        else:
            self._context.post(Event.LAUNCH_FAILED)

    async def _find_profile(self) -> None:
        moved = await self._parts.store.move_in()
        facts = await self._parts.store.inspect()
        self._context.reporter.set(profile=facts)
        if not facts.exists:
            self._context.post(Event.PROFILE_NONE)
        elif not facts.valid:
            log.warning("profile_damaged", session=self._parts.session, problems=list(facts.problems[:5]))
            self._context.post(Event.PROFILE_BAD)
        else:
            log.info("profile_found", session=self._parts.session, bytes=facts.bytes, moved_in=moved)
            self._context.post(Event.PROFILE_GOOD)

    async def _launch(self) -> None:
        with self._context.quietly():
            self._context.launched = False
            freed = await self._parts.store.trim(self._parts.max_bytes)
            if freed:
                log.info("caches_trimmed", session=self._parts.session, freed_bytes=freed)
            carried = await self._parts.store.carried()
            self._context.launched_at = self._parts.clock.monotonic()
            self._parts.guard(self._parts.store.profile)
            try:
                await self._parts.browser.launch(self._parts.store.profile, carried)
            except (BrowserGone, BrowserHangs) as error:
                log.warning("launch_failed", session=self._parts.session, error=str(error) or type(error).__name__)
                self._parts.browser.kill()
                self._context.post(Event.LAUNCH_FAILED)
                return
            self._context.launched = True
            self._context.proven = False
            now = self._parts.clock.now()
            self._context.reporter.set(
                browser=BrowserFacts(version=await self._parts.browser.version(), started_at=now)
            )
        self._context.wake.set()

    async def _restore(self) -> None:
        await self._owe_no_tombstone()
        event = await self._context.restoring.restore()
        if event is Event.NOTHING_TO_RESTORE:
            facts = await self._parts.store.inspect()
            if facts.exists and not facts.valid:
                await self._parts.store.set_aside()
        self._context.post(event)

    async def _restore_later(self) -> None:
        self._context.attempts += 1
        step = climb(
            Fault.NETWORK,
            min(self._context.attempts, self._parts.budget.attempts),
            self._parts.budget,
            self._parts.jitter(),
        )
        await self._parts.clock.sleep(min(30.0, step.delay if step else 30.0))
        await self._restore()

    async def _seal(self) -> None:
        with self._context.quietly():
            await self._context.keeper.carry()
            self._context.remember(linked=True)
            await self._parts.browser.reopen_page()
            await self._context.keeper.save("link")
        self._context.keeper.ask("link")
        self._context.post(Event.SEALED)

    async def _settle(self) -> None:
        seconds = self._parts.clock.monotonic() - self._context.launched_at
        browser = self._context.reporter.status.browser
        if not browser.connected_after_ms:
            self._context.reporter.set(
                browser=msgspec.structs.replace(browser, connected_after_ms=round(seconds * 1000, 1))
            )
        self._context.restoring.begin_anew()
        await self._context.reporter.publish()
        await self._context.keeper.carry()
        await self._parts.store.drop_set_aside()
        await self._observer.validate()
        await self._until_sending_works()

    async def _until_sending_works(self) -> None:
        for _ in range(SEND_LOOKS):
            await self._observer.measure()
            await self._context.reporter.publish()
            if self._context.reporter.status.browser.send_ok:
                return
            await self._parts.clock.sleep(0.5)

    async def _refresh_qr(self) -> None:
        await self._parts.browser.refresh_qr()
        await self._parts.clock.sleep(2.0)
        self._context.said = None

    async def _climb(self) -> None:
        self._context.attempts += 1
        self._context.reporter.set(reconnect_attempts=self._context.attempts)
        step = climb(self._context.session.fault, self._context.attempts, self._parts.budget, self._parts.jitter())
        if step is None:
            self._context.post(Event.LADDER_ENDED)
            return
        log.info(
            "rung",
            session=self._parts.session,
            rung=step.rung.value,
            attempt=self._context.attempts,
            delay=round(step.delay, 1),
        )
        await self._context.reporter.publish()
        await self._parts.clock.sleep(step.delay)
        await self._climb_rung(step.rung)
        await self._parts.clock.sleep(self._parts.times.connect)
        self._context.post(Event.STILL_DOWN)

    async def _climb_rung(self, rung: Rung) -> None:
        if rung is Rung.RELOAD and self._context.launched:
            with self._context.quietly():
                await self._parts.browser.reload()
        elif rung is Rung.NEW_PAGE and self._context.launched:
            with self._context.quietly():
                await self._parts.browser.reopen_page()
        elif rung is Rung.RESTORE:
            self._context.post(Event.RESTORE_ASKED)
        elif rung is not Rung.WAIT:
            await self._new_browser()
        self._context.said = None

    async def _new_browser(self) -> None:
        await self._close()
        facts = await self._parts.store.inspect()
        self._context.reporter.set(profile=facts)
        if facts.exists and not facts.valid:
            self._context.post(Event.PROFILE_BAD)
            return
        await self._launch()

    async def _retry_slowly(self) -> None:
        await self._parts.clock.sleep(slow_delay(self._parts.jitter()))
        await self._new_browser()
        await self._parts.clock.sleep(self._parts.times.connect)
        self._context.post(Event.STILL_DOWN)

    async def _take_over(self) -> None:
        self._taken_over_at = self._parts.clock.monotonic()
        await self._parts.browser.take_over()

    async def _consider_take_over(self) -> None:
        """By itself at most once in a while: two that take over from each other in turn end with a ban."""
        await self._parts.clock.sleep(self._parts.times.take_over)
        if self._parts.clock.monotonic() - self._taken_over_at >= self._parts.times.take_over_pause:
            await self._take_over()
        else:
            log.warning("conflict_left_to_a_person", session=self._parts.session)

    async def _forget_link(self) -> None:
        self._context.remember(linked=False)
        self._context.reporter.set(account=None)

    async def _shut_down(self) -> None:
        linked, started = self._context.session.linked, self._parts.clock.monotonic()
        deadline = started + self._parts.times.stop
        with self._context.quietly():
            self._parts.browser.thaw()
            if self._context.launched and linked:
                with suppress(BrowserGone, BrowserHangs, OSError, TimeoutError):
                    async with asyncio.timeout(3.0):
                        await self._context.keeper.carry()
            was_launched, self._context.launched = self._context.launched, False
            await self._parts.browser.close(timeout=min(5.0, self._parts.times.stop / 2))
            if linked and was_launched and self._context.proven:
                await self._last_copies(deadline - self._parts.clock.monotonic())
        await self._context.reporter.publish()

    async def _last_copies(self, seconds: float) -> None:
        try:
            await self._context.keeper.last(timeout=max(1.0, seconds))
        except (ServiceError, ProfileDamaged, OSError, TimeoutError) as error:
            code = error.code if isinstance(error, ServiceError) else type(error).__name__
            log.warning("last_copy_incomplete", session=self._parts.session, code=code)

    async def _close(self) -> None:
        with self._context.quietly():
            self._context.launched = False
            await self._parts.browser.close(timeout=5.0)

    async def _kill(self) -> None:
        self._context.launched = False
        self._parts.browser.kill()

    async def _alert(self) -> None:
        log.error(
            "needs_attention",
            session=self._parts.session,
            state=self._context.session.state.value,
            reason=self._context.session.reason,
        )

    async def _wipe(self) -> None:
        with self._context.quietly():
            unlinked = await self._unlink()
            self._context.launched = False
            await self._parts.browser.close(timeout=5.0)
            self._context.remember(linked=False, cleared_epoch=self._context.epoch, tombstone_owed=True)
            await self._parts.store.wipe()
            await self._owe_no_tombstone()
        now = self._parts.clock.now()
        log.info("session_cleared", session=self._parts.session, unlinked=unlinked)
        detail = (
            "" if unlinked else " The phone could not be reached: remove the device there by hand, if it is listed."
        )
        self._context.reporter.set(
            account=None,
            profile=await self._parts.store.inspect(),
            saves=SaveFacts(),
            backups=BackupFacts(),
            browser=BrowserFacts(),
            detail=f"{self._context.reporter.status.detail}{detail}",
        )
        event = SessionCleared(session=self._parts.session, at=now, epoch=self._context.epoch, unlinked=unlinked)
        await self._parts.publish_event("session", "cleared", event)

    async def _unlink(self) -> bool:
        """Log out at the phone, starting the browser for it when a login is known to exist."""
        linked = self._context.remembered.linked or self._context.session.linked
        try:
            if not self._context.launched and linked and (await self._parts.store.inspect()).valid:
                self._parts.guard(self._parts.store.profile)
                await self._parts.browser.launch(self._parts.store.profile, await self._parts.store.carried())
                self._context.launched = True
                await self._until_connected(self._parts.times.unlink)
            if self._context.launched and (await self._parts.browser.read()).state is PageState.CONNECTED:
                return await self._parts.browser.unlink()
        except (BrowserGone, BrowserHangs, TimeoutError, OSError) as error:
            log.warning("not_unlinked", session=self._parts.session, error=type(error).__name__)
        return False

    async def _until_connected(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while (await self._parts.browser.read()).state is not PageState.CONNECTED:
                await self._parts.clock.sleep(0.2)

    async def _owe_no_tombstone(self) -> None:
        """Tell the store of a `clear` that it has not heard of; nothing from before it is restored meanwhile."""
        if not self._context.remembered.tombstone_owed:
            return
        try:
            await self._parts.backups.tombstone(epoch=self._context.remembered.cleared_epoch)
        except ServiceError as error:
            log.warning("tombstone_owed", session=self._parts.session, code=error.code)
            return
        self._context.remember(tombstone_owed=False)

    _ACTIONS: ClassVar[dict[Effect, Callable[[Effects], Awaitable[None]]]] = {
        Effect.FIND_PROFILE: _find_profile,
        Effect.LAUNCH: _launch,
        Effect.RESTORE: _restore,
        Effect.RESTORE_LATER: _restore_later,
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
