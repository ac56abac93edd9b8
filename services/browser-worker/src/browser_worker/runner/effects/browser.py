"""Starts and ends the session's browser."""

from __future__ import annotations

from browser_worker.domain.budgets import CLOSE_SECONDS
from browser_worker.domain.events import Event
from browser_worker.domain.session import Fact
from browser_worker.ports import BrowserGone, BrowserHangs
from browser_worker.runner.context import Context
from shared.contracts.sessions import BrowserStatus
from shared.runtime import get_logger

from .profile import event_of_profile

log = get_logger()


class BrowserEffects:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._deps = context.deps

    async def launch(self) -> None:
        """A start that fails is posted as LAUNCH_FAILED. Raises OSError."""
        context, deps = self._context, self._deps
        with context.polling.suspended_polling():
            freed = await deps.profile_store.trim(deps.max_bytes)
            if freed:
                log.info("caches_trimmed", session=deps.session, freed_bytes=freed)
            export = await deps.profile_store.local_storage_export()
            context.note(Fact.LAUNCHING)
            context.reporter.launch_began()
            try:
                await deps.browser.launch(deps.profile_store.profile, export)
            except (BrowserGone, BrowserHangs) as error:
                log.warning("launch_failed", session=deps.session, error=str(error) or type(error).__name__)
                deps.browser.kill()
                deps.metrics.launched(succeeded=False)
                context.post(Event.LAUNCH_FAILED)
                return
            context.note(Fact.LAUNCHED)
            deps.metrics.launched(succeeded=True)
            context.reporter.set(
                browser=BrowserStatus(version=await deps.browser.version(), started_at=deps.clock.now())
            )

    async def relaunch(self) -> None:
        """A new browser on the present profile. A profile that is not valid is posted instead."""
        await self.close()
        profile = await self._deps.profile_store.inspect()
        self._context.reporter.set(profile=profile)
        if profile.valid:
            await self.launch()
        else:
            self._context.post(event_of_profile(profile))

    async def close(self) -> None:
        with self._context.polling.suspended_polling():
            self._context.note(Fact.BROWSER_ENDED)
            await self.close_or_kill()

    async def close_or_kill(self) -> None:
        try:
            await self._deps.browser.close(timeout=CLOSE_SECONDS)
        except (BrowserGone, BrowserHangs, OSError):
            self._deps.browser.kill()

    def kill(self) -> None:
        self._context.note(Fact.BROWSER_ENDED)
        self._deps.browser.kill()
