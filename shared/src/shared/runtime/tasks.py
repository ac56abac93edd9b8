"""Long-running work that must not end unnoticed: a crashed task is logged and started again after a growing delay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shared.backoff import Backoff
from shared.bus.listening import where_raised
from shared.bus.repeat_filter import RepeatFilter
from shared.clock import Clock, SystemClock

RESTART = Backoff(first=0.2, longest=30.0)
STEADY_SECONDS = 60.0
"""A task that ran this long starts with the first delay again."""
STOP_SECONDS = 5.0

log = structlog.get_logger()


class Tasks:
    """A factory is called again after each crash; a factory that returns is done."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged = RepeatFilter()

    def spawn(self, name: str, factory: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._supervise(name, factory), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Cancel all tasks and wait up to STOP_SECONDS. A task that swallows its cancellation is logged and left."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in stuck:
                log.error("task_will_not_stop", task=task.get_name())

    async def _supervise(self, name: str, factory: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while True:
            started = self._clock.monotonic()
            try:
                await factory()
                return
            except Exception as error:
                self._report(name, error)
            steady = self._clock.monotonic() - started >= STEADY_SECONDS
            failures = 1 if steady else failures + 1
            await self._clock.sleep(RESTART.delay(failures))

    def _report(self, name: str, error: Exception) -> None:
        where = where_raised(error)
        if self._logged.is_new(name, type(error).__name__, where):
            log.error("task_crashed", task=name, error=type(error).__name__, where=where, exc_info=error)
