"""A stand-in and browsers of the worker on it, for tests that need the real thing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.adapters.browser.confinement import Confinement
from browser_worker.adapters.browser.driver import Driver
from browser_worker.adapters.browser.watchdog import Watchdog
from browser_worker.domain.egress import Egress, host_patterns, site_of
from browser_worker.domain.reading import PageState, Reading
from shared.clock import SystemClock
from shared.testing import eventually
from standin.client import Phone
from standin.process import StandInProcess

WA_JS = Path(__file__).parents[2] / "node_modules/@wppconnect/wa-js/dist/wppconnect-wa.js"
WATCHDOG_SECONDS = 30.0


class BrowserStage:
    """One stand-in, one profile folder, and the browser of the test on it."""

    def __init__(self, folder: Path, standin: StandInProcess) -> None:
        self.folder = folder
        self.profile = folder / "profile"
        self.standin = standin
        self._made_for: dict[ChromiumBrowser, list[Driver | Watchdog]] = {}

    @property
    def phone(self) -> Phone:
        return self.standin.phone

    def browser(self, **options: Any) -> ChromiumBrowser:
        clock = SystemClock()
        own: dict[str, Driver | Watchdog] = {
            "driver": Driver(),
            "watchdog": Watchdog(limit=WATCHDOG_SECONDS, clock=clock),
        }
        url = options.get("url", self.standin.web_url)
        own_confinement = {"confinement": Confinement(egress(url))}
        given = {"url": url, "executable": None, "wa_js": WA_JS, "clock": clock, "timeout": 15.0} | own_confinement
        browser = ChromiumBrowser(**(given | own | options))
        self._made_for[browser] = [part for name, part in own.items() if name not in options]
        return browser

    async def end(self, browser: ChromiumBrowser) -> None:
        """Close the browser, and stop the driver and the watchdog that the stage made for it."""
        try:
            await browser.close(timeout=5)
        finally:
            await self.stop_driver_and_watchdog(browser)

    async def stop_driver_and_watchdog(self, browser: ChromiumBrowser) -> None:
        for part in self._made_for.pop(browser, ()):
            await part.stop()

    @asynccontextmanager
    async def launched(self, **options: Any) -> AsyncIterator[ChromiumBrowser]:
        """A browser on the profile; whatever the test did to it, nothing of it is left."""
        browser = self.browser(**options)
        try:
            await browser.launch(self.profile, None)
            yield browser
        finally:
            await self.end(browser)

    @asynccontextmanager
    async def linked(self, **options: Any) -> AsyncIterator[ChromiumBrowser]:
        async with self.launched(**options) as browser:
            await link(browser, self.phone)
            yield browser


def egress(url: str, hosts: str = "*.whatsapp.com, *.whatsapp.net", *, report_only: bool = False) -> Egress:
    return Egress(site_of(url), host_patterns(hosts), report_only)


@contextmanager
def browser_stage(folder: Path, *standin_options: str) -> Iterator[BrowserStage]:
    with StandInProcess(folder / "standin", *standin_options) as standin:
        yield BrowserStage(folder, standin)


def driver_pid(driver: Driver) -> int | None:
    """The driver process that runs now."""
    process = driver._process
    return process._pipe.process.pid if process is not None and process.running else None


async def link(browser: ChromiumBrowser, phone: Phone) -> Reading:
    """Scan the QR that the browser reads; returns the reading that is connected."""
    qr = (await shows(browser, PageState.QR)).qr
    phone.scan(text=qr)
    return await shows(browser, PageState.CONNECTED)


async def shows(browser: ChromiumBrowser, *states: PageState, timeout: float = 15.0) -> Reading:
    """The first reading in one of `states`; an AssertionError names the last."""
    last: Reading | None = None

    async def matching() -> Reading | None:
        nonlocal last
        last = await browser.read()
        return last if last.state in states else None

    try:
        found = await eventually(matching, timeout=timeout, interval=0.03)
    except AssertionError:
        raise AssertionError(f"expected {states}, the page shows {last}") from None
    assert found is not None
    return found


async def send_ready(browser: ChromiumBrowser) -> None:
    """Wait until the page's functions for sending are there."""

    async def ready() -> bool:
        return (await browser.self_check()).send_ok

    await eventually(ready, timeout=15, message="the page can send")
