"""Climbs the ladder after a fault, goes on slowly when it has ended, and pauses before a store is asked again."""

from __future__ import annotations

from typing import assert_never

from browser_worker.domain.events import Event
from browser_worker.domain.ladder import Rung, Step, climb, pause_seconds, slow_delay
from browser_worker.domain.session import Fact
from browser_worker.runner.context import Context
from shared.runtime import get_logger

from .browser import BrowserEffects

log = get_logger()

LONGEST_PAUSE = 30.0
"""Seconds between two looks at an object store that cannot be asked, or at a disk that gives errors."""


class RecoveryEffects:
    def __init__(self, context: Context, browser: BrowserEffects) -> None:
        self._context = context
        self._deps = context.deps
        self._browser = browser

    async def pause(self) -> None:
        self._context.note(Fact.PAUSE)
        pauses, budget = self._context.session.pauses, self._deps.budget
        await self._deps.clock.sleep(pause_seconds(pauses, budget, self._deps.jitter(), LONGEST_PAUSE))

    async def climb(self) -> None:
        """Wait, take the next rung, give it time to help. Posts STILL_DOWN when it did not, or LADDER_ENDED."""
        context, deps = self._context, self._deps
        context.note(Fact.ATTEMPT)
        session = context.session
        context.reporter.set(reconnect_attempts=session.attempts)
        climbed = climb(
            session.fault,
            session.attempts,
            deps.budget,
            deps.jitter(),
            launches_since_connected=session.launches_since_connected,
            may_restore=not session.login_is_revoked,
        )
        if climbed is None:
            context.post(Event.LADDER_ENDED)
            return
        delay = round(climbed.delay, 1)
        log.info("rung", session=deps.session, rung=climbed.rung.label, attempt=session.attempts, delay=delay)
        await context.reporter.publish()
        await deps.clock.sleep(climbed.delay)
        deps.metrics.rung_taken(climbed.rung.label)
        await self._take(climbed.rung)
        await deps.clock.sleep(deps.times.connect)
        context.post(Event.STILL_DOWN)

    async def _take(self, rung: Rung) -> None:
        for step in rung.steps(launched=self._context.session.launched):
            await self._perform(step)
        self._context.polling.forget_posted()

    async def _perform(self, step: Step) -> None:
        context, browser = self._context, self._deps.browser
        match step:
            case Step.RELOAD_PAGE:
                with context.polling.suspended_polling():
                    await browser.reload()
            case Step.REOPEN_PAGE:
                with context.polling.suspended_polling():
                    await browser.reopen_page()
            case Step.RELAUNCH:
                await self._browser.relaunch()
            case Step.ASK_RESTORE:
                context.post(Event.RESTORE_ASKED)
            case _:
                assert_never(step)

    async def retry_slowly(self) -> None:
        await self._deps.clock.sleep(slow_delay(self._deps.jitter()))
        await self._browser.relaunch()
        await self._deps.clock.sleep(self._deps.times.connect)
        self._context.post(Event.STILL_DOWN)
