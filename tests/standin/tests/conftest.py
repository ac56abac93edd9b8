"""A stand-in of its own for each test, and a browser driven as the product drives it: one init script with wa-js."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.async_api import BrowserContext, Page, async_playwright

from shared.browsers import browser_of
from standin.process import StandInProcess

ROOT = Path(__file__).parents[3]
BUNDLE = ROOT / "node_modules/@wppconnect/wa-js/dist/wppconnect-wa.js"
READ_STATE = """() => ({
    socket: require('WAWebSocketModel').Socket.state,
    mode: require('WAWebStreamModel').Stream.mode,
    info: require('WAWebStreamModel').Stream.info,
    me: require('WAWebUserPrefsMeUser').getMaybeMePnUser()?._serialized,
})"""
SEND = """([to, text, id]) => WPP.chat.sendTextMessage(to, text, {
    createChat: true, waitForAck: true, linkPreview: false, markIsRead: false, ...(id && {messageId: id})})"""


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandInProcess]:
    with StandInProcess(tmp_path / "standin", "--tls") as running:
        yield running


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """The Chromium under test: `BROWSER_EXECUTABLE`, else the installed one."""
    return browser_of(os.environ)


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    return _eventually


async def _eventually(check: Callable[[], Any], *, within: float = 10.0) -> Any:
    """The first truthy value of `check`; fails with the last one after `within` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        value = check()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert loop.time() < deadline, f"still {value!r} after {within} s"
        await asyncio.sleep(0.01)


class Driven:
    """One browser on one profile with one page of the stand-in."""

    def __init__(self, context: BrowserContext, profile: Path) -> None:
        self.context = context
        self.profile = profile
        self.page: Page = context.pages[0]
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def state(self) -> dict[str, Any]:
        value: dict[str, Any] = await self.page.evaluate(READ_STATE)
        return value

    async def until(self, *, within: float = 10.0, **wanted: str) -> dict[str, Any]:
        """Wait until what the page's models say is as wanted."""

        async def reached() -> dict[str, Any] | None:
            try:
                state = await self.state()
            except Exception:
                return None  # between two pages
            return state if wanted.items() <= state.items() else None

        state: dict[str, Any] = await _eventually(reached, within=within)
        return state

    async def wajs(self) -> None:
        await _eventually(lambda: self.page.evaluate("() => Boolean(window.WPP?.isReady)"), within=20)

    async def send(self, text: str, *, to: str = "201234567890@c.us", id_: str | None = None) -> dict[str, Any]:
        value: dict[str, Any] = await self.page.evaluate(SEND, [to, text, id_])
        return value

    async def check(self) -> dict[str, Any]:
        value: dict[str, Any] = await self.page.evaluate("() => __standin.checkInvariants()")
        return value

    def processes(self) -> list[psutil.Process]:
        mark = f"--user-data-dir={self.profile}"
        children = psutil.Process().children(recursive=True)
        roots = [child for child in children if mark in _command_line(child)]
        return [process for root in roots for process in (root, *root.children(recursive=True))]

    def signal(self, number: signal.Signals) -> None:
        for process in self.processes():
            with suppress(ProcessLookupError):  # the first one's end may take the others with it
                os.kill(process.pid, number)

    async def close(self) -> None:
        await self.context.close()


def _command_line(process: psutil.Process) -> list[str]:
    """Nothing of a process that has ended since."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


Launch = Callable[..., Awaitable[Driven]]


@pytest.fixture
async def launch(standin: StandInProcess, tmp_path: Path, browser_path: Path) -> AsyncIterator[Launch]:
    """`await launch()` opens the stand-in in a browser; the same profile again unless another is named."""
    script = BUNDLE.read_text()
    guard = 'if (window === window.top && location.hostname === "127.0.0.1")'
    config = "window.WPPConfig = {disableGoogleAnalytics: true, linkPreviewApiServers: []};"
    opened: list[Driven] = []
    async with async_playwright() as playwright:

        async def open_(profile: str = "profile", *, wajs: bool = True, go: bool = True) -> Driven:
            root_only = ["--no-sandbox"] if os.geteuid() == 0 else []
            context = await playwright.chromium.launch_persistent_context(
                tmp_path / profile, executable_path=browser_path, args=root_only
            )
            if wajs:
                await context.add_init_script(f"{guard} {{ {config}\n{script}\n}}")
            driven = Driven(context, tmp_path / profile)
            opened.append(driven)
            if go:
                await driven.page.goto(standin.web_url)
            return driven

        yield open_
        for driven in opened:
            driven.signal(signal.SIGCONT)
            await driven.close()


@pytest.fixture
async def linked(launch: Launch, standin: StandInProcess) -> Driven:
    """A page that has just been linked, with wa-js ready."""
    driven = await launch()
    await driven.until(socket="UNPAIRED")
    standin.phone.scan()
    await driven.until(socket="CONNECTED", mode="MAIN")
    await driven.wajs()
    return driven


@pytest.fixture
def stopwatch() -> Callable[[], float]:
    """Seconds since the test began."""
    start = time.perf_counter()
    return lambda: time.perf_counter() - start
