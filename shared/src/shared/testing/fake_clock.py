"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
LOOP_TURNS = 20


class FakeClock:
    """See `shared.clock.Clock`. `advance` moves both the instant and the monotonic seconds and wakes sleepers."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sleeper = (self._monotonic + seconds, woken)
        self._sleepers.append(sleeper)
        try:
            await woken
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    @property
    def sleepers(self) -> int:
        """How many tasks sleep on this clock."""
        return len(self._sleepers)

    def advance(self, seconds: float) -> None:
        """Jump; the woken tasks run at the next turn of the event loop."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
        for due, woken in list(self._sleepers):
            if due <= self._monotonic + 1e-9 and not woken.done():
                woken.set_result(None)

    async def pass_time(self, seconds: float) -> None:
        """Step from sleeper to sleeper: each wakes at its own time and runs before the clock goes on."""
        end = self._monotonic + seconds
        await run_ready_tasks()
        while (due := self._next_due()) is not None and due <= end:
            self.advance(max(0.0, due - self._monotonic))
            await run_ready_tasks()
        self.advance(max(0.0, end - self._monotonic))
        await run_ready_tasks()

    def _next_due(self) -> float | None:
        return min((due for due, woken in self._sleepers if not woken.done()), default=None)


async def run_ready_tasks() -> None:
    """Give the event loop enough turns for every task that is ready to run."""
    for _ in range(LOOP_TURNS):
        await asyncio.sleep(0)
