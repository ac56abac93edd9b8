"""A real Chromium that writes numbered, checksummed records into IndexedDB and localStorage as fast as it can."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from aiohttp import web
from playwright.async_api import BrowserContext, Page, Playwright, async_playwright

from shared.browsers import find_browser

PAGE = Path(__file__).with_name("writing_page.html").read_text("utf-8")


@dataclass(frozen=True)
class Invariants:
    """What a copy must show: records 0…newest without a gap, each with its checksum, and the login that decrypts."""

    count: int
    newest: int
    wrong: int
    login: str | None
    device: str | None

    @property
    def hold(self) -> bool:
        return self.wrong == 0 and self.count == self.newest + 1 and self.login == "linked"


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """The page's address. All browsers of one test need the same one: databases belong to an origin."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


class WritingBrowser:
    def __init__(self, context: BrowserContext, page: Page, profile: Path) -> None:
        self.context = context
        self.page = page
        self._profile = profile
        self.frozen = False
        self._tree = self.processes()

    def processes(self) -> list[psutil.Process]:
        """The processes of this browser: the process that names the profile, and all its descendants."""
        found = [
            process
            for process in psutil.Process().children(recursive=True)
            if any(f"--user-data-dir={self._profile}" in text for text in _command(process))
        ]
        below = [child for process in found for child in process.children(recursive=True)]
        return list({process.pid: process for process in [*found, *below]}.values())

    def freeze(self) -> None:
        for process in self._tree:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)
        while not all(_stands_still(process.pid) for process in self._tree):
            continue  # A thread inside a system call ends that call before SIGSTOP stops it.
        self.frozen = True

    def thaw(self) -> None:
        for process in self._tree:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
        self.frozen = False

    def kill(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    async def link(self) -> None:
        await self.page.evaluate("link()")

    async def start_writing(self, size: int = 8000, *, pause_ms: int = 0) -> None:
        """Write on until the page closes."""
        await self.page.evaluate("([size, pause]) => { write(size, 1e9, pause); }", [size, pause_ms])

    async def written(self, count: int, size: int) -> None:
        """Write until `count` records are there, then stop."""
        await self.page.evaluate("([size, until]) => write(size, until, 0)", [size, count])

    async def newest(self) -> int:
        return int(await self.page.evaluate("last()"))

    async def invariants(self) -> Invariants:
        found: dict[str, Any] = await self.page.evaluate("check()")
        return Invariants(**found)


def _stands_still(pid: int) -> bool:
    """Whether every thread of the process is stopped, or the process is gone."""
    try:
        states = [
            (task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return all(state in "TtXZ" for state in states)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@asynccontextmanager
async def browser_on(playwright: Playwright, profile: Path, url: str) -> AsyncIterator[WritingBrowser]:
    context = await playwright.chromium.launch_persistent_context(
        profile,
        executable_path=find_browser("headless-shell"),
        args=["--no-sandbox", "--password-store=basic"],
        handle_sigint=False,
        handle_sigterm=False,
        handle_sighup=False,
    )
    try:
        page = context.pages[0]
        await page.goto(url)
        yield WritingBrowser(context, page, profile)
    finally:
        with suppress(Exception):
            await context.close()


@asynccontextmanager
async def playwright_running() -> AsyncIterator[Playwright]:
    async with async_playwright() as playwright:
        yield playwright


async def invariants_of(playwright: Playwright, profile: Path, url: str) -> Invariants:
    """Open a copy in a new browser and look."""
    async with browser_on(playwright, profile, url) as browser:
        return await browser.invariants()
