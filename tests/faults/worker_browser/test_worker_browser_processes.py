"""Freezing, killing, crashing and being killed: the processes of the browser and those around it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import structlog
from browser_stage import WA_JS, BrowserStage, driver_pid, shows

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.adapters.browser.processes import BrowserProcesses
from browser_worker.adapters.browser.watchdog import Watchdog
from browser_worker.domain.reading import PageState
from browser_worker.ports import BrowserGone, BrowserHangs
from shared.browsers import find_browser
from shared.clock import SystemClock
from shared.testing import eventually, eventually_sync

pytestmark = pytest.mark.browser


def processes(profile: Path) -> list[psutil.Process]:
    return BrowserProcesses(profile).refresh()


def states(profile: Path) -> set[str]:
    found = set()
    for process in processes(profile):
        try:
            found.add(process.status())
        except psutil.NoSuchProcess:
            continue
    return found


def thread_states(pid: int) -> list[str]:
    try:
        return [
            (task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []


async def test_freezing_stops_every_write_and_thawing_resumes(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        stage.phone.set_history(target_mb=1, rate_per_s=200)
        folder = stage.profile / "Default" / "IndexedDB"
        before = _written(folder)
        await eventually(lambda: _written(folder) != before, message="the page writes history")
        browser.freeze()
        browser.freeze()
        assert states(stage.profile) == {psutil.STATUS_STOPPED}
        still = _written(folder)
        assert (await browser.read()).state is PageState.UNKNOWN
        with pytest.raises(BrowserHangs):
            await browser.export_local_storage()
        await asyncio.sleep(0.5)
        assert _written(folder) == still
        browser.thaw()
        browser.thaw()
        await eventually(lambda: _written(folder) != still, message="the page writes again")
        await shows(browser, PageState.CONNECTED)


async def test_a_stop_returns_when_the_last_thread_of_a_busy_browser_stands_still(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        stage.phone.set_history(target_mb=20, rate_per_s=1000)
        found = BrowserProcesses(stage.profile)
        pids = [process.pid for process in found.refresh()]
        for _ in range(30):
            assert found.freeze(wait_seconds=5)
            moving = [state for pid in pids for state in thread_states(pid) if state not in "TXZ"]
            found.thaw()
            assert moving == []
            await asyncio.sleep(0.05)
        await shows(browser, PageState.CONNECTED)


async def test_a_stop_waits_no_longer_than_it_may_and_says_so(
    stage: BrowserStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.launched() as browser:
        monkeypatch.setattr("browser_worker.adapters.browser.processes._state", lambda stat: "D")
        with structlog.testing.capture_logs() as logs:
            browser.freeze()
        assert "browser_still_moving" in [line["event"] for line in logs]
        browser.thaw()
        await shows(browser, PageState.QR)


async def test_a_call_waits_for_the_end_of_a_short_pause(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        browser.freeze()
        asyncio.get_running_loop().call_later(0.1, browser.thaw)
        assert (await browser.read()).state is PageState.CONNECTED


async def test_a_send_to_a_frozen_browser_fails_without_a_doubt(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        message_id = await browser.new_message_id("201234567890")
        browser.freeze()
        assert (await browser.send_text("201234567890", "hello", message_id, timeout=5)).outcome == "failed"
        browser.thaw()
        await shows(browser, PageState.CONNECTED)
        assert stage.phone.messages() == []


async def test_a_frozen_browser_can_be_killed_and_started_again(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        export = await browser.export_local_storage()
        browser.freeze()
        browser.kill()
        browser.kill()
        await eventually(lambda: not processes(stage.profile))
        await browser.launch(stage.profile, export)
        await shows(browser, PageState.CONNECTED)


async def test_a_frozen_browser_can_be_closed(stage: BrowserStage) -> None:
    async with stage.launched() as browser:
        browser.freeze()
        await browser.close(timeout=5)
        assert not processes(stage.profile)


async def test_a_killed_browser_wakes_the_reader_and_is_gone(stage: BrowserStage) -> None:
    async with stage.launched() as browser:
        await shows(browser, PageState.QR)
        woken = asyncio.Event()
        browser.on_wake(woken.set)
        _root(stage.profile).kill()
        await asyncio.wait_for(woken.wait(), 5)
        await eventually(lambda: not browser.alive)
        with pytest.raises(BrowserGone):
            await browser.read()
        await eventually(lambda: not processes(stage.profile), message="no orphan stays behind")


async def test_a_killed_renderer_is_gone(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        renderer = max(
            (one for one in processes(stage.profile) if "--type=renderer" in one.cmdline()), key=lambda one: one.pid
        )
        renderer.kill()

        async def gone() -> bool:
            try:
                await browser.read()
            except BrowserGone:
                return True
            return False

        await eventually(gone)


async def test_a_stray_browser_on_the_profile_is_ended_first(stage: BrowserStage) -> None:
    async with stage.launched() as first:
        await shows(first, PageState.QR)
        before = {process.pid for process in processes(stage.profile)}
        first.freeze()
        second = stage.browser()
        try:
            await second.launch(stage.profile, None)
            await shows(second, PageState.QR)
            assert not before & {process.pid for process in processes(stage.profile)}
        finally:
            await stage.end(second)


async def test_a_dead_driver_is_replaced(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        export = await browser.export_local_storage()
        pid = driver_pid(browser._driver)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

        async def gone() -> bool:
            try:
                await browser.read()
            except BrowserGone:
                return True
            except BrowserHangs:
                return False
            return False

        await eventually(gone)
        browser.kill()
        await browser.launch(stage.profile, export)
        await shows(browser, PageState.CONNECTED)


async def test_a_browser_that_cannot_start_says_so_and_leaves_nothing(stage: BrowserStage) -> None:
    broken = stage.folder / "broken-browser"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Chromium 156.0.1.2 && exit 0\nexit 7\n')
    broken.chmod(0o700)
    browser = stage.browser(executable=broken)
    try:
        with pytest.raises(BrowserGone):
            await browser.launch(stage.profile, None)
        assert not browser.alive
    finally:
        await stage.stop_driver_and_watchdog(browser)


async def test_a_host_without_sandbox_still_gets_a_browser_and_a_warning(stage: BrowserStage) -> None:
    choosy = stage.folder / "choosy-browser"
    choosy.write_text(
        f'#!/bin/sh\ncase "$*" in *--version*|*--no-sandbox*) exec "{find_browser("headless-shell")}" "$@";; esac\n'
        'echo "[1:1:FATAL:zygote_host_impl_linux.cc(1)] No usable sandbox! Update your kernel" >&2\nexit 1\n'
    )
    choosy.chmod(0o700)
    browser = stage.browser(executable=choosy)
    browser._sandbox = True
    try:
        with structlog.testing.capture_logs() as logs:
            await browser.launch(stage.profile, None)
        assert "browser_sandbox_off" in [line["event"] for line in logs]
        await shows(browser, PageState.QR)
    finally:
        await stage.end(browser)


async def test_marks_of_a_dead_browser_of_another_host_do_not_stop_the_start(stage: BrowserStage) -> None:
    stage.profile.mkdir()
    (stage.profile / "SingletonLock").symlink_to("another-host-4711")
    async with stage.launched(engine="chromium") as browser:
        await shows(browser, PageState.QR)


async def test_the_watchdog_ends_a_frozen_browser_when_no_sign_of_life_comes(stage: BrowserStage) -> None:
    watchdog = Watchdog(limit=1.0, clock=SystemClock())
    async with stage.launched(watchdog=watchdog) as browser:
        await shows(browser, PageState.QR)
        browser.freeze()
        assert watchdog._beating is not None
        watchdog._beating.cancel()
        try:
            await eventually(lambda: not processes(stage.profile), timeout=10)
            await eventually(lambda: not browser.alive)
        finally:
            await watchdog.stop()


async def test_a_watchdog_that_died_is_started_again(stage: BrowserStage) -> None:
    watchdog = Watchdog(limit=2.0, clock=SystemClock())
    async with stage.launched(watchdog=watchdog) as browser:
        dead = watchdog._process
        assert dead is not None
        dead.kill()
        await eventually(lambda: watchdog._process is not None and watchdog._process is not dead)
        await watchdog.stop()
        await eventually(lambda: not browser.alive)


async def test_the_watchdog_leaves_the_next_owners_browser_alone(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        export = await browser.export_local_storage()
        browser.kill()
        other = stage.browser()
        try:
            await other.launch(stage.profile, export)
            await shows(other, PageState.CONNECTED)
            await stage.stop_driver_and_watchdog(browser)
            assert other.alive
            await shows(other, PageState.CONNECTED)
        finally:
            await stage.end(other)


CONTROLLER = """
import asyncio, sys
from pathlib import Path
from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.adapters.browser.confinement import Confinement
from browser_worker.adapters.browser.driver import Driver
from browser_worker.adapters.browser.watchdog import Watchdog
from browser_worker.domain.egress import Egress, site_of
from shared.clock import SystemClock

async def main():
    url, wa_js, profile, frozen = sys.argv[1:]
    clock = SystemClock()
    watchdog = Watchdog(limit=30.0, clock=clock)
    browser = ChromiumBrowser(
        url=url, executable=None, wa_js=Path(wa_js), driver=Driver(), watchdog=watchdog, clock=clock,
        confinement=Confinement(Egress(site_of(url), ())),
    )
    await browser.launch(Path(profile), None)
    if frozen == "frozen":
        browser.freeze()
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["running", "frozen"])
def test_a_controller_killed_with_sigkill_leaves_no_browser(stage: BrowserStage, how: str) -> None:
    controller = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, stage.standin.web_url, str(WA_JS), str(stage.profile), how],
        stdout=subprocess.PIPE,
    )
    try:
        assert controller.stdout is not None
        assert b"ready\n" in controller.stdout
        assert processes(stage.profile)
        controller.kill()
        eventually_sync(lambda: not processes(stage.profile), timeout=10, message="the browser is ended")
    finally:
        controller.kill()
        controller.wait()
        if controller.stdout:
            controller.stdout.close()


def test_ctrl_c_in_the_terminal_does_not_end_the_browser(stage: BrowserStage) -> None:
    """The terminal signals the whole foreground group; only the worker may end the browser."""
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + CONTROLLER
    controller = subprocess.Popen(
        [sys.executable, "-c", ignoring, stage.standin.web_url, str(WA_JS), str(stage.profile), "running"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert controller.stdout is not None
        assert b"ready\n" in controller.stdout
        before = {process.pid for process in processes(stage.profile)}
        os.killpg(controller.pid, signal.SIGINT)
        eventually_sync(lambda: stage.phone.pages(), timeout=10)
        assert before <= {process.pid for process in processes(stage.profile)}
        assert controller.poll() is None
    finally:
        controller.kill()
        controller.wait()
        if controller.stdout:
            controller.stdout.close()
    eventually_sync(lambda: not processes(stage.profile), timeout=10)


def _root(profile: Path) -> psutil.Process:
    """The browser's first process, below the shell that some systems start it from."""
    roots = [one for one in processes(profile) if any("--user-data-dir" in part for part in one.cmdline())]
    return next(one for one in roots if Path(one.exe()).name not in ("sh", "dash", "bash"))


def _written(folder: Path) -> tuple[tuple[str, int, int], ...]:
    files = []
    for path in sorted(folder.rglob("*")):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        files.append((path.name, stat.st_size, stat.st_mtime_ns))
    return tuple(files)


def test_the_browser_type_fulfils_the_port() -> None:
    from browser_worker.ports import Browser

    def takes(browser: Browser) -> Browser:
        return browser

    assert takes.__annotations__
    assert all(hasattr(ChromiumBrowser, name) for name in vars(Browser) if not name.startswith("_"))
