"""The supervisor with real processes: order, readiness, restarts, ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from supervised import captured_output, fake, journal

from persistent_session.errors import CliError
from persistent_session.stack import supervised_process, supervisor
from persistent_session.stack.plan import ProcessSpec
from persistent_session.stack.supervised_process import RESTARTS
from persistent_session.stack.supervisor import Supervisor
from shared.clock import SystemClock
from shared.testing import eventually, free_port


@asynccontextmanager
async def _running(folder: Path, *specs: ProcessSpec, **options: object) -> AsyncIterator[Supervisor]:
    output, shown = captured_output()
    found = Supervisor(specs, log_dir=folder / "logs", clock=SystemClock(), output=output, **options)  # type: ignore[arg-type]
    found.shown = shown  # type: ignore[attr-defined]
    try:
        yield found
    finally:
        await found.stop(asyncio.Event())
        assert not any(found.pids().values())


def _names_in_journal(folder: Path, what: str) -> list[str]:
    return [line[0] for line in journal(folder) if line[1] == what]


async def test_stages_start_one_after_the_other_and_all_stop_in_the_reverse_order(tmp_path: Path) -> None:
    processes = [fake(name, free_port(), tmp_path, stage=stage) for name, stage in (("a", 0), ("b", 1), ("c", 2))]
    async with _running(tmp_path, *processes) as system:
        await system.start()
        assert all(system.pids().values())
    assert _names_in_journal(tmp_path, "start") == ["a", "b", "c"]
    assert _names_in_journal(tmp_path, "stop") == ["c", "b", "a"]


async def test_processes_of_one_stage_do_not_wait_for_each_other(tmp_path: Path) -> None:
    slow = fake("slow", free_port(), tmp_path, "mute", required=False, ready_seconds=2.0)
    async with _running(tmp_path, slow, fake("quick", free_port(), tmp_path)) as system:
        starting = asyncio.create_task(system.start())
        await eventually(lambda: "quick" in _names_in_journal(tmp_path, "start"), timeout=1.9)
        assert not starting.done()
        await starting


async def test_a_service_that_died_is_started_again_with_the_same_name_and_a_new_process(tmp_path: Path) -> None:
    async with _running(tmp_path, fake("a", free_port(), tmp_path)) as system:
        await system.start()
        first = system.pids()["a"]
        os.kill(first, signal.SIGKILL)
        second = await eventually(lambda: system.pids()["a"] not in (0, first) and system.pids()["a"])
        await eventually(lambda: len(_names_in_journal(tmp_path, "start")) == 2)
        os.kill(second, signal.SIGKILL)
        await eventually(lambda: len(_names_in_journal(tmp_path, "start")) == 3)
        said = system.shown.getvalue()  # type: ignore[attr-defined]
    assert "signal 9" in said
    assert said.index("again in 0.5 s") < said.index("again in 1 s"), "the delay grows"


def test_the_delay_doubles_up_to_half_a_minute() -> None:
    assert [RESTARTS.delay(attempt) for attempt in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert RESTARTS.delay(10_000) == 30


async def test_a_service_with_wrong_settings_ends_the_start_at_once_with_its_own_words(tmp_path: Path) -> None:
    async with _running(tmp_path, fake("a", free_port(), tmp_path, "exit=2")) as system:
        with pytest.raises(CliError, match="GATEWAY_PORT must be a number") as told:
            await system.start()
    assert _names_in_journal(tmp_path, "start") == ["a"], "trying again cannot help"
    assert "a.log" in told.value.hint


async def test_a_service_that_never_starts_ends_the_start_after_a_few_tries(tmp_path: Path) -> None:
    async with _running(tmp_path, fake("a", free_port(), tmp_path, "exit=1")) as system:
        with pytest.raises(CliError, match="cannot be started"):
            await system.start()
    assert len(_names_in_journal(tmp_path, "start")) == supervised_process.TRIES_BEFORE_READY


async def test_what_was_started_before_a_failed_start_is_stopped(tmp_path: Path) -> None:
    good, bad = fake("good", free_port(), tmp_path), fake("bad", free_port(), tmp_path, "exit=2", stage=1)
    async with _running(tmp_path, good, bad) as system:
        with pytest.raises(CliError):
            await system.start()
        assert system.pids()["good"]
    assert _names_in_journal(tmp_path, "stop") == ["good"]


async def test_a_needed_service_that_never_answers_ends_the_start(tmp_path: Path) -> None:
    async with _running(tmp_path, fake("a", free_port(), tmp_path, "mute", ready_seconds=0.5)) as system:
        with pytest.raises(CliError, match="did not become ready"):
            await system.start()


async def test_a_program_that_is_absent_is_told_by_name(tmp_path: Path) -> None:
    absent = fake("a", free_port(), tmp_path)
    absent = ProcessSpec(
        name="a", argv=("/nowhere/program",), env={}, ready=absent.ready, stop_seconds=1, death_signal=signal.SIGTERM
    )
    async with _running(tmp_path, absent) as system:
        with pytest.raises(CliError, match="cannot start /nowhere/program"):
            await system.start()


async def test_a_service_that_does_not_hear_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    deaf = fake("deaf", free_port(), tmp_path, "deaf", stop_seconds=0.5)
    clock = SystemClock()
    async with _running(tmp_path, fake("a", free_port(), tmp_path), deaf) as system:
        await system.start()
        began = clock.monotonic()
    assert clock.monotonic() - began < 5
    assert _names_in_journal(tmp_path, "stop") == ["a"]


async def test_whoever_is_in_a_hurry_does_not_wait_for_the_budget(tmp_path: Path) -> None:
    deaf = fake("deaf", free_port(), tmp_path, "deaf", stop_seconds=60)
    output, _ = captured_output()
    clock = SystemClock()
    system = Supervisor([deaf], log_dir=tmp_path, clock=clock, output=output)
    await system.start()
    hurry = asyncio.Event()
    began = clock.monotonic()
    stopping = asyncio.create_task(system.stop(hurry))
    await asyncio.sleep(0)
    hurry.set()
    await stopping
    assert clock.monotonic() - began < supervisor.HURRIED_SECONDS + 3
    assert system.pids() == {"deaf": 0}


async def test_what_a_service_started_in_its_own_group_ends_with_it(tmp_path: Path) -> None:
    async with _running(tmp_path, fake("a", free_port(), tmp_path, "parent")) as system:
        await system.start()
        child = await eventually(lambda: next((int(line[2]) for line in journal(tmp_path) if line[1] == "child"), 0))
        assert psutil.pid_exists(child)
    await eventually(lambda: _gone(child))


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_the_hook_of_a_service_runs_in_each_of_its_lives(tmp_path: Path) -> None:
    lives = []

    async def hook() -> None:
        lives.append("ready")

    async with _running(tmp_path, fake("a", free_port(), tmp_path), after_ready={"a": hook}) as system:
        await system.start()
        assert lives == ["ready"]
        os.kill(system.pids()["a"], signal.SIGKILL)
        await eventually(lambda: len(lives) == 2)


async def test_a_hook_that_fails_at_the_start_ends_it(tmp_path: Path) -> None:
    async def hook() -> None:
        raise ValueError("with a secret in it")

    async with _running(tmp_path, fake("a", free_port(), tmp_path), after_ready={"a": hook}) as system:
        with pytest.raises(CliError, match="could not be set up") as told:
            await system.start()
    assert "secret" not in told.value.message


async def test_a_hook_that_fails_later_gives_the_service_another_life(tmp_path: Path) -> None:
    lives = 0

    async def hook() -> None:
        nonlocal lives
        lives += 1
        if lives == 2:
            raise ValueError

    async with _running(tmp_path, fake("a", free_port(), tmp_path), after_ready={"a": hook}) as system:
        await system.start()
        os.kill(system.pids()["a"], signal.SIGKILL)
        await eventually(lambda: lives == 3)
        await eventually(lambda: system.pids()["a"] != 0)


async def test_every_change_of_who_runs_is_told(tmp_path: Path) -> None:
    told: list[dict[str, int]] = []
    on_change: Callable[[dict[str, int]], None] = lambda pids: told.append(dict(pids))  # noqa: E731
    async with _running(tmp_path, fake("a", free_port(), tmp_path), on_change=on_change) as system:
        await system.start()
        assert told[-1] == system.pids()
        os.kill(told[-1]["a"], signal.SIGKILL)
        await eventually(lambda: len({pids["a"] for pids in told if pids["a"]}) == 2)
        assert {"a": 0} in told
