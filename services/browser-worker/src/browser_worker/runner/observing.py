"""Measures the session's facts in their own time: profile, backups, browser. Decides nothing."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from browser_worker.ports import BrowserGone, BrowserHangs
from shared.contracts.errors import ServiceError
from shared.contracts.sessions import BackupsStatus, State
from shared.runtime import get_logger

from .context import Context

SETTLING_SECONDS = 10.0
UNREADY_SECONDS = 40.0

log = get_logger()


class Observer:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._deps = context.deps

    async def run(self) -> None:
        """For as long as the session is owned."""
        clock, times = self._deps.clock, self._deps.times
        validated_at = measured_at = float("-inf")
        while True:
            now = clock.monotonic()
            if now - validated_at >= times.validate:
                validated_at = now
                await self.validate()
                await self.ask_backups()
            if now - measured_at >= times.measure:
                measured_at = now
                await self.measure()
            self._reset_budget(now)
            await self._reload_once_if_unready()
            await self._context.reporter.publish()
            await clock.sleep(times.publish)

    def _reset_budget(self, now: float) -> None:
        connected_at = self._context.connected_at
        if connected_at is not None and now - connected_at >= self._deps.times.stable:
            self._context.attempts = 0
        self._context.reporter.set(reconnect_attempts=self._context.attempts)

    async def _reload_once_if_unready(self) -> None:
        """A page whose send functions never become ready does so after one reload more often than not; once a launch,
        so that a changed page costs no more than that."""
        connected_at = self._context.connected_at
        if connected_at is None or self._context.reporter.status.browser.send_ok or self._context.reloaded:
            return
        if self._deps.clock.monotonic() - connected_at < UNREADY_SECONDS or self._context.quiet:
            return
        self._context.reloaded = True
        log.warning("page_reloaded_for_its_functions", session=self._deps.session)
        with suppress(BrowserGone, BrowserHangs), self._context.quietly():
            await self._deps.browser.reload()

    async def validate(self) -> None:
        """A running browser moves its files while they are read: one bad look at it is looked at again."""
        with suppress(OSError):
            facts = await self._deps.store.inspect()
            if facts.exists and not facts.valid and self._context.launched:
                facts = await self._deps.store.inspect()
            self._context.reporter.set(profile=facts)

    async def ask_backups(self) -> None:
        try:
            found = await self._deps.backups.backups()
        except ServiceError:
            return
        good = [backup for backup in found.backups if backup.restorable]
        newest, before = (good[0] if good else None), self._context.reporter.status.backups
        newest_at = newest.taken_at if newest else None
        if newest and newest.id == before.newest_id and before.newest_at:
            newest_at = max(before.newest_at, newest.taken_at)
        self._context.reporter.set(
            backups=BackupsStatus(
                known=True,
                count=len(good),
                newest_id=newest.id if newest else "",
                newest_at=newest_at,
                newest_bytes=newest.bytes if newest else 0,
                stored_bytes=found.stored_bytes,
                last_attempt_at=before.last_attempt_at,
                last_error=before.last_error,
            )
        )

    async def measure(self) -> None:
        if not self._context.launched or self._context.quiet:
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
        )
        if check is not None and (check.send_ok or self._settled()):
            browser = msgspec.structs.replace(
                browser,
                read_ok=check.read_ok,
                send_ok=check.send_ok,
                missing_lookups=check.missing,
                wa_js_version=check.wa_js_version,
            )
        reporter.set(browser=browser)

    def _settled(self) -> bool:
        """The page's send functions come about a second after its connection; before that their lack means nothing."""
        connected_at = self._context.connected_at
        return connected_at is not None and self._deps.clock.monotonic() - connected_at >= SETTLING_SECONDS
