"""Several sessions' browsers in one worker: each has a driver process of its own, and none is another's."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from browser_stage import BrowserStage, driver_pid, shows

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.adapters.browser.driver import Driver
from browser_worker.domain.reading import PageState
from browser_worker.ports import BrowserGone, BrowserHangs
from shared.testing import eventually

SESSIONS = 4
ROUNDS = 3
BEFORE: set[int] = set()
"""Drivers that other tests have left running."""


@pytest.fixture(autouse=True)
def _before() -> None:
    BEFORE.clear()
    BEFORE.update(all_drivers())


@pytest.mark.browser
async def test_four_browsers_start_run_and_die_without_harm_to_each_other(stage: BrowserStage) -> None:
    async with browsers(stage) as started:
        await launch_all(stage, started)
        assert len({driver_pid(browser._driver) for browser in started}) == SESSIONS
        for number, browser in enumerate(started):
            kill_driver_of(browser)
            await eventually(lambda victim=browser: is_gone(victim))
            await all_answer(started[number + 1 :])
        await launch_all(stage, started)
        for number, browser in enumerate(started):
            browser.kill()
            await all_answer(started[number + 1 :])


@pytest.mark.browser
async def test_starts_that_are_cancelled_among_others_leave_those_alone(stage: BrowserStage) -> None:
    spawn = asyncio.create_subprocess_exec
    chance = random.Random(1)
    async with browsers(stage) as started:
        for _ in range(ROUNDS):
            starts = [asyncio.ensure_future(browser.launch(at, None)) for browser, at in profiles(stage, started)]
            for start in starts[::2]:
                await asyncio.sleep(chance.uniform(0, 0.3))
                start.cancel()
            results = await asyncio.gather(*starts, return_exceptions=True)
            assert results[1::2] == [None, None]
            await all_answer(started[1::2])
            assert asyncio.create_subprocess_exec is spawn
            for browser in started:
                browser.kill()
            await asyncio.gather(*(browser._driver.stop() for browser in started))
            assert driver_processes() == []


async def test_drivers_that_start_at_once_are_all_different_and_die_one_at_a_time() -> None:
    drivers = [Driver() for _ in range(SESSIONS)]
    try:
        await asyncio.gather(*(driver.chromium() for driver in drivers))
        pids = [driver_pid(driver) or 0 for driver in drivers]
        assert sorted(pids) == driver_processes()
        for number, pid in enumerate(pids):
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda dead=drivers[number]: driver_pid(dead) is None)
            assert [driver_pid(driver) for driver in drivers[number + 1 :]] == pids[number + 1 :]
    finally:
        await asyncio.gather(*(driver.stop() for driver in drivers))
    assert driver_processes() == []


async def test_a_driver_whose_start_is_cancelled_leaves_no_process_and_starts_again() -> None:
    driver = Driver()
    try:
        for seconds in (0.0, 0.01, 0.03, 0.1, 0.2):
            start = asyncio.ensure_future(driver.chromium())
            await asyncio.sleep(seconds)
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
            if driver_pid(driver) is None:
                assert driver_processes() == []
        assert (await driver.chromium()).name == "chromium"
        assert driver_processes() == [driver_pid(driver)]
    finally:
        await driver.stop()


async def test_a_driver_runs_in_a_session_of_its_own_and_ends_when_it_is_stopped() -> None:
    driver = Driver()
    await driver.chromium()
    pid = driver_pid(driver) or 0
    assert os.getsid(pid) == pid
    await driver.stop()
    await driver.stop()
    assert driver_pid(driver) is None
    assert not psutil.pid_exists(pid)


@asynccontextmanager
async def browsers(stage: BrowserStage) -> AsyncIterator[list[ChromiumBrowser]]:
    made = [stage.browser() for _ in range(SESSIONS)]
    try:
        yield made
    finally:
        for browser in made:
            await stage.end(browser)


def profiles(stage: BrowserStage, started: list[ChromiumBrowser]) -> list[tuple[ChromiumBrowser, Path]]:
    return [(browser, stage.folder / f"profile-{number}") for number, browser in enumerate(started)]


async def launch_all(stage: BrowserStage, started: list[ChromiumBrowser]) -> None:
    await asyncio.gather(*(browser.launch(profile, None) for browser, profile in profiles(stage, started)))
    await all_answer(started)


async def all_answer(started: list[ChromiumBrowser]) -> None:
    await asyncio.gather(*(shows(browser, PageState.QR, timeout=30) for browser in started))


def kill_driver_of(browser: ChromiumBrowser) -> None:
    pid = driver_pid(browser._driver)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


async def is_gone(browser: ChromiumBrowser) -> bool:
    try:
        await browser.read()
    except BrowserGone:
        return True
    except BrowserHangs:
        return False
    return False


def driver_processes() -> list[int]:
    """Drivers that this process has started during the test."""
    return sorted(all_drivers() - BEFORE)


def all_drivers() -> set[int]:
    found = set()
    for child in psutil.Process().children():
        try:
            if "run-driver" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
        except psutil.Error:
            continue
    return found
