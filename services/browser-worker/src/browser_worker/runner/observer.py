"""Measures the session at its own pace: profile, backups, browser. Decides nothing about the session's state."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from browser_worker.domain.session import Fact
from browser_worker.ports import BrowserGone, BrowserHangs
from shared.contracts.errors import ServiceError
from shared.contracts.sessions import BackupsStatus, State
from shared.runtime import get_logger

from .context import Context

FUNCTIONS_SECONDS = 10.0
"""The page's send functions come about a second after its connection; before this their lack means nothing."""
UNREADY_SECONDS = 40.0
LISTING_FACTOR = 3
"""Intervals of backups after which a listing is old."""

log = get_logger()


class Observer:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._deps = context.deps

    async def run(self) -> None:
        """As long as the session is owned."""
        clock, times = self._deps.clock, self._deps.times
        validated_at = measured_at = float("-inf")
        next_listing = float("-inf")
        while True:
            now = clock.monotonic()
            if now - validated_at >= times.validate:
                validated_at = now
                await self.validate()
            if now >= next_listing:
                answered = await self.list_backups()
                next_listing = now + (times.back_up if answered else min(times.validate, times.back_up))
            self._forget_an_old_listing()
            if now - measured_at >= times.measure:
                measured_at = now
                await self.measure()
            self._note_stability()
            await self._reload_once_if_unready()
            await self._context.reporter.publish()
            await clock.sleep(times.publish)

    def _note_stability(self) -> None:
        connected = self._context.reporter.seconds_connected()
        if connected is not None and connected >= self._deps.times.stable:
            self._context.note(Fact.STABLE)
        self._context.reporter.set(reconnect_attempts=self._context.session.attempts)

    async def _reload_once_if_unready(self) -> None:
        """A page whose send functions never become ready does so after one reload more often than not. Once a launch,
        so that a changed page costs no more than that."""
        connected = self._context.reporter.seconds_connected()
        ready = self._context.reporter.status.browser.send_ok or self._context.session.reloaded
        if connected is None or connected < UNREADY_SECONDS or ready or self._context.polling.suspended:
            return
        self._context.note(Fact.PAGE_RELOADED)
        log.warning("page_reloaded_for_its_functions", session=self._deps.session)
        async with self._context.page_lock:  # never in the middle of a send
            with suppress(BrowserGone, BrowserHangs), self._context.polling.suspended_polling():
                await self._deps.browser.reload()

    async def validate(self) -> None:
        """Inspect the profile. A running browser moves its files while they are read, so one bad look is repeated."""
        with suppress(OSError):
            profile = await self._deps.profile_store.inspect()
            if profile.exists and not profile.valid and self._context.session.launched:
                profile = await self._deps.profile_store.inspect()
            self._context.reporter.set(profile=profile)

    async def list_backups(self) -> bool:
        """Ask the object store what it holds: one look each interval of backups. False when it cannot be asked; what is
        known stays, and grows old."""
        try:
            listing = await self._deps.backups.backups()
        except ServiceError:
            return False
        good = [backup for backup in listing.backups if backup.restorable]
        newest, before = (good[0] if good else None), self._context.reporter.status.backups
        newest_at = newest.taken_at if newest else None
        if newest and newest.id == before.newest_id and before.newest_at:
            # an unchanged session was as safe later as when this backup was stored
            newest_at = max(before.newest_at, newest.taken_at)
        self._context.reporter.set(
            backups=BackupsStatus(
                known=True,
                seen_at=self._deps.clock.now(),
                count=len(good),
                newest_id=newest.id if newest else "",
                newest_at=newest_at,
                newest_bytes=newest.bytes if newest else 0,
                stored_bytes=listing.stored_bytes,
                last_attempt_at=before.last_attempt_at,
                last_error=before.last_error,
            )
        )
        return True

    def _forget_an_old_listing(self) -> None:
        """What the object store has not shown for some intervals is not known any more; it stays as what was known
        last."""
        backups, times = self._context.reporter.status.backups, self._deps.times
        if not backups.known or backups.seen_at is None:
            return
        age = (self._deps.clock.now() - backups.seen_at).total_seconds()
        if age > times.back_up * LISTING_FACTOR:
            self._context.reporter.set(backups=msgspec.structs.replace(backups, known=False))

    async def measure(self) -> None:
        """Measure the browser and check the page's functions; a browser that does not answer leaves what is known."""
        if not self._context.session.launched or self._context.polling.suspended:
            return
        try:
            await self._deps.browser.dismiss_known_dialogs()
            measure = await self._deps.browser.measure()
            connected = self._context.state is State.CONNECTED
            check = await self._deps.browser.self_check() if connected else None
        except (BrowserGone, BrowserHangs, OSError):
            return
        reporter = self._context.reporter
        browser = msgspec.structs.replace(
            reporter.status.browser,
            version=measure.version,
            memory_bytes=measure.memory_bytes,
            processes=measure.processes,
            refused=measure.refused,
            refused_hosts=measure.refused_hosts,
        )
        if check is not None and (check.send_ok or self._functions_are_due()):
            browser = msgspec.structs.replace(
                browser,
                read_ok=check.read_ok,
                send_ok=check.send_ok,
                missing_lookups=check.missing,
                wa_js_version=check.wa_js_version,
            )
        reporter.set(browser=browser)

    def _functions_are_due(self) -> bool:
        connected = self._context.reporter.seconds_connected()
        return connected is not None and connected >= FUNCTIONS_SECONDS
