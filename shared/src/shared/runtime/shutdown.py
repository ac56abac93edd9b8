"""Stopping in order: a signal sets `requested`, then the phases run, each within its budget.

A thread ends the process when the stop hangs, because a stuck event loop cannot end anything. A coroutine that swallows
its cancellation is left behind; the stop never waits for it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from shared.clock import Clock, SystemClock

HUNG_EXIT_CODE = 70
SLACK_SECONDS = 10.0
"""Time for reaching the first phase and for the end of the interpreter, beyond the budgets of the phases."""
HURRIED_SECONDS = 1.0
"""Budget of each phase after a second signal."""
CANCEL_SECONDS = 0.5
WATCH_SECONDS = 0.1

log = structlog.get_logger()


@dataclass(frozen=True)
class Phase:
    name: str
    budget_seconds: float
    run: Callable[[], Awaitable[object]]


class Shutdown:
    """The first signal stops in order, the second hurries, the third ends the process at once."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        end_process: Callable[[int], object] = os._exit,
        slack_seconds: float = SLACK_SECONDS,
    ) -> None:
        self.requested = asyncio.Event()
        self._clock = clock or SystemClock()
        self._end_process = end_process
        self._phases: list[Phase] = []
        self._budget_seconds = slack_seconds
        self._running = False
        self._hurry = asyncio.Event()
        self._ended = threading.Event()
        self._watchdog: threading.Thread | None = None

    def phase(self, name: str, budget_seconds: float, run: Callable[[], Awaitable[object]]) -> None:
        """Add a phase; phases run in the order in which they were added."""
        self._phases.append(Phase(name, budget_seconds, run))
        self._budget_seconds += budget_seconds + CANCEL_SECONDS

    @property
    def running(self) -> bool:
        """Whether the phases have begun."""
        return self._running

    @property
    def pending_phases(self) -> int:
        return len(self._phases)

    def listen(self) -> None:
        """Handle SIGTERM and SIGINT of this process."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.request, signal.Signals(number).name)

    def request(self, why: str = "asked") -> None:
        """Do what a signal does."""
        if not self.requested.is_set():
            log.info("stopping", why=why)
            self.requested.set()
            self.guard()
        elif not self._hurry.is_set():
            log.warning("stopping_hurried", why=why)
            self._hurry.set()
        else:
            self._end_process(HUNG_EXIT_CODE)

    async def run(self) -> None:
        """Run the phases that have not run yet. Never raises for a phase that fails or hangs."""
        self._running = True
        self.guard()
        while self._phases:
            await self._run_phase(self._phases.pop(0))

    def ended(self) -> None:
        """Stop guarding: the process has nothing left to do."""
        self._ended.set()

    def guard(self) -> None:
        """End the process within the budgets and the slack, even when the stop hangs."""
        if self._watchdog is None:
            self._watchdog = threading.Thread(target=self._watch, name="shutdown-watchdog", daemon=True)
            self._watchdog.start()

    def _watch(self) -> None:
        started = self._clock.monotonic()
        while not self._ended.wait(WATCH_SECONDS):
            if self._clock.monotonic() - started >= self._budget_seconds:
                log.error("exit_hung", after_seconds=self._budget_seconds)
                self._end_process(HUNG_EXIT_CODE)
                return

    async def _run_phase(self, phase: Phase) -> None:
        started = self._clock.monotonic()
        work = asyncio.ensure_future(_awaited(phase.run))
        hurry = asyncio.ensure_future(self._hurry.wait())
        if not self._hurry.is_set():
            await asyncio.wait({work, hurry}, timeout=phase.budget_seconds, return_when=asyncio.FIRST_COMPLETED)
        if self._hurry.is_set() and not work.done():
            await asyncio.wait({work}, timeout=min(HURRIED_SECONDS, phase.budget_seconds))
        hurry.cancel()
        outcome = await _outcome(work)
        log.info("stop_phase", phase=phase.name, outcome=outcome, seconds=round(self._clock.monotonic() - started, 3))


async def _awaited(run: Callable[[], Awaitable[object]]) -> None:
    await run()


async def _outcome(work: asyncio.Future[None]) -> str:
    if not work.done():
        work.cancel()
        await asyncio.wait({work}, timeout=CANCEL_SECONDS)
        return "out_of_time"
    error = None if work.cancelled() else work.exception()
    if error is not None:
        log.error("stop_phase_failed", error=type(error).__name__, exc_info=error)
        return "failed"
    return "done"
