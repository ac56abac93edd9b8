"""Supervised tasks and the ordered stop, within one process."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from shared.clock import SystemClock
from shared.runtime import Shutdown, Tasks
from shared.testing import FakeClock, eventually
from shared.testing.fake_clock import run_ready_tasks


@pytest.fixture
def ended() -> list[int]:
    """Exit codes with which the process would have been ended."""
    return []


@pytest.fixture
async def shutdown(ended: list[int]) -> Shutdown:
    return Shutdown(end_process=ended.append)


async def test_phases_run_in_their_order(shutdown: Shutdown) -> None:
    ran: list[str] = []
    for name in ("commands", "snapshot", "lease"):

        async def note(name: str = name) -> None:
            ran.append(name)

        shutdown.phase(name, 1.0, note)
    await shutdown.run()
    shutdown.ended()
    assert ran == ["commands", "snapshot", "lease"]


async def test_a_phase_that_fails_or_hangs_does_not_keep_the_next_from_running(shutdown: Shutdown) -> None:
    ran: list[str] = []

    async def fail() -> None:
        raise RuntimeError("no")

    async def hang() -> None:
        await asyncio.Event().wait()

    async def swallow() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if ran:
                    raise

    async def last() -> None:
        ran.append("last")

    shutdown.phase("fail", 1.0, fail)
    shutdown.phase("hang", 0.05, hang)
    shutdown.phase("swallow", 0.05, swallow)
    shutdown.phase("last", 1.0, last)
    started = SystemClock().monotonic()
    await shutdown.run()
    shutdown.ended()
    assert ran == ["last"]
    assert SystemClock().monotonic() - started < 2.0


async def test_a_phase_runs_once_although_run_is_called_twice(shutdown: Shutdown) -> None:
    ran: list[int] = []

    async def note() -> None:
        ran.append(1)

    shutdown.phase("once", 1.0, note)
    await shutdown.run()
    await shutdown.run()
    shutdown.ended()
    assert ran == [1]


async def test_a_second_signal_hurries_and_a_third_ends_the_process(shutdown: Shutdown, ended: list[int]) -> None:
    begun = asyncio.Event()

    async def slow() -> None:
        begun.set()
        await asyncio.Event().wait()

    shutdown.phase("slow", 60.0, slow)
    shutdown.request("SIGTERM")
    assert shutdown.requested.is_set()
    running = asyncio.create_task(shutdown.run())
    await begun.wait()
    shutdown.request("SIGTERM")
    await asyncio.wait_for(running, 5.0)
    assert ended == []
    shutdown.request("SIGTERM")
    assert ended == [70]
    shutdown.ended()


async def test_the_watchdog_ends_a_process_that_outlives_its_budgets(ended: list[int]) -> None:
    shutdown = Shutdown(end_process=ended.append, slack_seconds=0.1)

    async def fine() -> None:
        pass

    shutdown.phase("fine", 0.1, fine)
    shutdown.request("SIGTERM")
    await eventually(lambda: ended == [70], timeout=5.0)


async def test_a_crashed_task_is_started_again_after_a_growing_delay() -> None:
    time = FakeClock()
    tasks = Tasks(time)
    starts: list[float] = []

    async def crash() -> None:
        starts.append(time.monotonic())
        raise RuntimeError("no")

    tasks.spawn("crash", crash)
    await time.pass_time(7.0)
    await tasks.stop()
    gaps = [round(after - before, 3) for before, after in itertools.pairwise(starts)]
    assert gaps == [0.2, 0.4, 0.8, 1.6, 3.2]


async def test_a_task_that_ran_well_for_long_is_started_again_with_the_first_delay() -> None:
    time = FakeClock()
    tasks = Tasks(time)
    starts: list[float] = []

    async def crash_late() -> None:
        starts.append(time.monotonic())
        if len(starts) > 3:
            await time.sleep(100.0)
        raise RuntimeError("no")

    tasks.spawn("crash", crash_late)
    await time.pass_time(102.0)
    assert len(starts) == 5
    assert round(starts[4] - starts[3], 3) == 100.2
    await tasks.stop()


async def test_a_task_that_returns_is_done_and_stop_cancels_the_others() -> None:
    time = FakeClock()
    tasks = Tasks(time)
    runs: list[int] = []
    cancelled = asyncio.Event()

    async def once() -> None:
        runs.append(1)

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    tasks.spawn("once", once)
    tasks.spawn("for ever", for_ever)
    await time.pass_time(100.0)
    await tasks.stop()
    assert runs == [1]
    assert cancelled.is_set()


async def test_the_fake_clock_wakes_sleepers_each_at_its_own_time() -> None:
    time = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleep(name: str, seconds: float) -> None:
        await time.sleep(seconds)
        woken.append((name, time.monotonic() - 1000.0))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleep("late", 5.0))
        group.create_task(sleep("early", 1.0))
        await run_ready_tasks()
        await time.pass_time(2.0)
        assert woken == [("early", 1.0)]
        assert time.sleepers == 1
        time.advance(10.0)
    assert [name for name, _ in woken] == ["early", "late"]
    assert (time.now() - FakeClock().now()).total_seconds() == 12.0
