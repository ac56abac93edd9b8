"""The browser of one session: Chromium under Playwright, on a profile of its own, with WhatsApp Web open in it.

Puts launching, pages and processes together. Two rules hold everywhere. A frozen browser answers nothing, so no call is
made until the browser is thawed. A browser that hangs is ended through its processes, because a request to close would
hang too.

localStorage needs care, because Chromium writes it to the disk up to a minute late. `export_local_storage` reads it
through the page and raises a sequence number inside it. A launch writes the last export back before the site's scripts
run, but only when the page's own number is lower. The script that does this is removed after its first run: a login
that ends in this browser must not come back with the next page.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Error, Page
from playwright.async_api import TimeoutError as DriverTimeout

from browser_worker.adapters.browser.confinement import Confinement
from browser_worker.adapters.browser.driver import Driver
from browser_worker.adapters.browser.executable_version import VersionOf
from browser_worker.adapters.browser.launch_flags import REMOVED_DEFAULTS, arguments, environment
from browser_worker.adapters.browser.page_driver import GRACE_SECONDS, PageBusy, PageDriver, answered
from browser_worker.adapters.browser.page_scripts import (
    WAKE_BINDING,
    WRITE_BACK_PUSH,
    init_script,
    read_bundle,
    write_back_script,
)
from browser_worker.adapters.browser.processes import BrowserProcesses
from browser_worker.adapters.browser.watchdog import Watchdog
from browser_worker.adapters.browsers_on_profile import clear_singletons
from browser_worker.adapters.durable_files import private_folder
from browser_worker.domain import sending
from browser_worker.domain.page_state import interpret
from browser_worker.domain.reading import LocalStorageExport, PageState, Reading, SelfCheck, SendOutcome
from browser_worker.ports import BrowserGone, BrowserHangs, BrowserMeasure
from shared.browsers import Engine, NoBrowser, find_browser
from shared.clock import Clock
from shared.contracts.commands import SendFailure
from shared.runtime import get_logger

log = get_logger()

OPEN_SECONDS = 10.0
"""How long the page may take to begin to answer. A page that takes longer is read as UNKNOWN and opened again later."""
STRAY_SECONDS = 5.0
"""How long killed processes may take to be gone."""
THAW_SECONDS = 0.5
"""How long a call waits for a frozen browser: a snapshot freezes it for far less, a lost lease for far longer."""
NO_SANDBOX = "No usable sandbox"
"""Part of Chromium's message on a host that allows no user namespaces."""
UNLINK_SECONDS = 10.0
_UNLINKED = frozenset({PageState.LOGGED_OUT, PageState.QR, PageState.IDLE})


class ChromiumBrowser:
    """Fulfils `ports.Browser`. `timeout` is how many seconds a call may take.

    `confinement` names the site and is this browser's
    own. Whoever makes `driver` and `watchdog` stops them. The constructor raises BadBundle and NoBrowser, so that a
    worker without a browser does not start.
    """

    def __init__(
        self,
        *,
        url: str,
        executable: Path | None,
        engine: Engine = "headless-shell",
        wa_js: Path,
        driver: Driver,
        watchdog: Watchdog,
        confinement: Confinement,
        clock: Clock,
        timeout: float = 30.0,
        extra_args: Sequence[str] = (),
    ) -> None:
        self._url = url
        self._confinement = confinement
        self._site = confinement.site
        self._executable = find_browser(engine, executable)
        self._version = VersionOf(self._executable)
        self._init_script = init_script(self._site.origin, read_bundle(wa_js))
        self._clock = clock
        self._timeout = timeout
        self._extra_args = tuple(extra_args)
        self._driver = driver
        self._watchdog = watchdog
        self._sandbox = _may_be_sandboxed()
        self._on_wake: Callable[[], None] | None = None
        self._profile = Path()
        self._processes: BrowserProcesses | None = None
        self._context: BrowserContext | None = None
        self._page: PageDriver | None = None
        self._crashed = False
        self._frozen = False
        self._logged_out = False
        self._sequence = 0
        self._floor = 0
        self._write_back: Any = None
        self._removing_write_back: asyncio.Future[None] | None = None

    # starting

    async def launch(self, profile: Path, local_storage: LocalStorageExport | None) -> None:
        await self._end_strays(profile)
        clear_singletons(profile)
        private_folder(profile)
        self._profile = profile
        self._processes = BrowserProcesses(profile)
        self._crashed = self._frozen = self._logged_out = False
        self._watchdog.watch(profile)
        try:
            await self._start()
            await self._prepare(local_storage)
        except (TimeoutError, BrowserHangs, DriverTimeout) as error:
            await self._end_failed_launch()
            await self._driver.replace()
            raise BrowserHangs("the browser did not start in time") from error
        except (Error, OSError, NoBrowser) as error:
            await self._end_failed_launch()
            raise BrowserGone(f"the browser did not start: {_reason(error)}") from error
        except BaseException:
            self.kill()
            raise
        await self._open()

    async def _start(self) -> None:
        try:
            await self._launch_context()
        except Error as error:
            if not self._sandbox or NO_SANDBOX not in error.message:
                raise
            self._sandbox = False
            log.warning("browser_sandbox_off", reason="the host allows none", hint="allow user namespaces")
            await self._launch_context()

    async def _launch_context(self) -> None:
        chromium, version, confined = await asyncio.gather(
            self._driver.chromium(), self.version(), self._confinement.begin()
        )
        launching = chromium.launch_persistent_context(
            self._profile,
            executable_path=self._executable,
            headless=True,
            args=[*arguments(version), *confined, *self._extra_args],
            ignore_default_args=list(REMOVED_DEFAULTS),
            chromium_sandbox=self._sandbox,
            env=dict(environment()),
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            accept_downloads=False,
            no_viewport=True,
            timeout=self._timeout * 1000,
        )
        self._context = await asyncio.wait_for(launching, self._timeout + GRACE_SECONDS)
        self._context.on("close", self._gone)
        self._confinement.enter(self._context)
        if self._processes is not None:
            self._processes.refresh()

    async def _prepare(self, local_storage: LocalStorageExport | None) -> None:
        context = self._running()
        self._sequence = local_storage.sequence if local_storage else 0
        self._floor = 0
        page, *_ = await asyncio.gather(
            self._confinement.first_page(),
            context.expose_binding(WAKE_BINDING, self._on_push),
            context.add_init_script(self._init_script),
        )
        if local_storage is not None and local_storage.origin == self._site.origin:
            self._write_back = await context.add_init_script(write_back_script(local_storage))
        self._use(page)

    async def _open(self) -> None:
        """A site that cannot be reached is no fault of the browser; the page is read as BLANK."""
        self._confinement.left = False
        with suppress(PageBusy):
            await self._page_driver().open(self._url, timeout=min(OPEN_SECONDS, self._timeout))

    def _use(self, page: Page) -> None:
        self._page = PageDriver(page, self._site, timeout=self._timeout)
        self._crashed = False
        page.on("framenavigated", lambda frame: None if frame.parent_frame else self._wake())
        page.on("crash", self._page_crashed)
        page.on("close", lambda closed: self._wake() if self._page and closed is self._page.page else None)

    async def _end_strays(self, profile: Path) -> None:
        strays = BrowserProcesses(profile)
        if not strays.refresh():
            return
        log.warning("stray_browser_ended")
        await self._until_dead(strays)

    async def _until_dead(self, processes: BrowserProcesses) -> None:
        deadline = self._clock.monotonic() + STRAY_SECONDS
        processes.kill()
        while processes.refresh():
            if self._clock.monotonic() > deadline:
                raise BrowserHangs("the processes of an earlier browser do not end")
            await self._clock.sleep(0.02)
            processes.kill()

    async def _end_failed_launch(self) -> None:
        self.kill()
        with suppress(BrowserHangs):
            await self._end_strays(self._profile)

    # pushes of the page

    def on_wake(self, callback: Callable[[], None]) -> None:
        """The newest callback alone is called."""
        self._on_wake = callback

    def _on_push(self, source: Any, what: object = "", *_: object) -> None:
        """Whatever the site pushes is a reason to read; two pushes say more than that. A push from anywhere else is
        none."""
        if self._page is None or not self._confinement.is_push_of_site(source, self._page.page):
            return
        what = what if isinstance(what, str) else ""
        if what.startswith(WRITE_BACK_PUSH):
            self._floor = self._sequence
            log.info("local_storage_write_back", verdict=what.removeprefix(WRITE_BACK_PUSH)[:16])
            self._removing_write_back = asyncio.ensure_future(self._remove_write_back())
        self._logged_out = self._logged_out or what == "logout"
        self._wake()

    async def _remove_write_back(self) -> None:
        script, self._write_back = self._write_back, None
        if script is not None:
            with suppress(Error):
                await script.close()

    def _page_crashed(self, page: Page) -> None:
        if self._page is not None and page is self._page.page:
            self._crashed = True
            self._wake()

    def _gone(self, context: BrowserContext) -> None:
        if context is self._context:
            self._context = self._page = None
            self._wake()

    def _wake(self) -> None:
        if self._on_wake is not None:
            self._on_wake()

    # the browser

    @property
    def alive(self) -> bool:
        return self._context is not None and self._processes is not None and self._processes.alive()

    async def version(self) -> str:
        return await self._version.ask(timeout=self._timeout)

    async def measure(self) -> BrowserMeasure:
        self._running()
        memory, processes = await asyncio.to_thread(BrowserProcesses(self._profile).memory)
        refusals = self._confinement.refusals
        return BrowserMeasure(
            version=await self.version(),
            memory_bytes=memory,
            processes=processes,
            refused=refusals.total,
            refused_hosts=refusals.hosts,
        )

    # the page

    async def read(self) -> Reading:
        try:
            page = await self._thawed_page()
        except PageBusy:
            return interpret([])
        reading = await page.read(self._floor)
        if reading.state is PageState.BLANK and self._confinement.left:
            # the site itself has led away, and the page has nothing else to show
            return Reading(PageState.ELSEWHERE)
        return reading

    async def self_check(self) -> SelfCheck:
        return await (await self._thawed_page()).self_check()

    async def reload(self) -> None:
        if self._crashed:
            await self.reopen_page()
            return
        self._confinement.left = False
        await (await self._thawed_page()).open(self._url, timeout=self._timeout)

    async def reopen_page(self) -> None:
        self._running()
        old = self._page
        blank = await answered(self._confinement.new_page(), self._timeout)
        self._page = None
        if old is not None:
            await answered(old.page.close(), self._timeout)
        self._use(await answered(self._confinement.new_page(), self._timeout))
        await answered(blank.close(), self._timeout)
        await self._open()

    async def refresh_qr(self) -> None:
        await (await self._thawed_page()).act("refresh_qr")

    async def take_over(self) -> None:
        await (await self._thawed_page()).act("take_over")

    async def dismiss_known_dialogs(self) -> None:
        await (await self._thawed_page()).act("dismiss")

    async def pairing_code(self, number: str) -> str:
        return await (await self._thawed_page()).pairing_code(number)

    async def new_message_id(self, number: str) -> str:
        """The page makes it. While the functions of the page are not ready, this worker makes it in the same form."""
        try:
            made = await (await self._thawed_page()).new_message_id(number)
        except PageBusy:
            made = ""
        return made or f"true_{number}@c.us_3EB0{secrets.token_hex(9).upper()}"

    async def send_text(self, number: str, text: str, message_id: str, *, timeout: float) -> SendOutcome:
        try:
            page = await self._thawed_page()
        except (BrowserGone, BrowserHangs):
            return sending.failed("the browser does not answer; nothing was sent", failure=SendFailure.NOT_READY)
        return await page.send(number, text, message_id, timeout=timeout)

    async def find_message(self, message_id: str) -> SendOutcome | None:
        return await (await self._thawed_page()).find_message(message_id)

    async def unlink(self) -> bool:
        self._logged_out = False
        deadline = self._clock.monotonic() + min(UNLINK_SECONDS, self._timeout)
        confirmed = await (await self._thawed_page()).unlink(timeout=min(UNLINK_SECONDS, self._timeout) / 2)
        while self._clock.monotonic() < deadline:
            if (await self.read()).state in _UNLINKED:
                return True
            await self._clock.sleep(0.05)
        return confirmed or self._logged_out

    async def export_local_storage(self) -> LocalStorageExport:
        export = await (await self._thawed_page()).export_local_storage(self._sequence)
        self._sequence = self._floor = export.sequence
        return export

    async def screenshot(self) -> bytes:
        return await (await self._thawed_page()).screenshot()

    # the processes

    def freeze(self) -> None:
        if self._processes is not None:
            self._frozen = True
            if not self._processes.freeze():
                log.warning("browser_still_moving", hint="a slow disk keeps a thread of the browser in a system call")

    def thaw(self) -> None:
        if self._processes is not None:
            self._processes.thaw()
        self._frozen = False

    def kill(self) -> None:
        if self._processes is not None:
            self._processes.kill()
            self._watchdog.forget(self._profile)
        self._confinement.end()
        self._frozen = False
        self._context = self._page = None

    async def close(self, *, timeout: float) -> None:
        self.thaw()
        context, self._context, self._page = self._context, None, None
        if context is not None:
            with suppress(Error, TimeoutError):
                await asyncio.wait_for(context.close(), timeout)
        if self._processes is not None:
            await self._until_dead(self._processes)
        self._confinement.end()
        self._watchdog.forget(self._profile)

    async def _thawed_page(self) -> PageDriver:
        """The page, once the pause of a snapshot is over. Raises PageBusy when the browser stays frozen."""
        deadline = self._clock.monotonic() + THAW_SECONDS
        while self._frozen and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.01)
        return self._page_driver()

    def _running(self) -> BrowserContext:
        if self._context is None:
            raise BrowserGone("no browser is running")
        if self._frozen:
            raise PageBusy("the browser is frozen")
        return self._context

    def _page_driver(self) -> PageDriver:
        self._running()
        if self._page is None or self._crashed or self._page.page.is_closed():
            raise BrowserGone("the page is gone")
        return self._page


def _may_be_sandboxed() -> bool:
    """Chromium refuses its sandbox to root. Other users get it, or an error that says what the host must allow."""
    if os.geteuid() != 0:
        return True
    log.warning("browser_sandbox_off", reason="running as root", hint="run the worker as another user")
    return False


def _reason(error: Exception) -> str:
    """The first line of the message. The other lines hold the browser's command line and log."""
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
