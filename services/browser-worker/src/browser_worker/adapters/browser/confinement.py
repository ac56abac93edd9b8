"""What keeps one browser on its site: the proxy on the way out, the guard of navigations, the closing of strange tabs.

Belongs to one browser at a time. What it refuses it counts and names, from one launch to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from playwright.async_api import BrowserContext, Page

from browser_worker.adapters.browser.egress_proxy import Dial, EgressProxy, dial
from browser_worker.adapters.browser.navigation_guard import NavigationGuard
from browser_worker.adapters.browser.refusals import Refusals
from browser_worker.adapters.browser.tabs import Tabs
from browser_worker.domain.egress import Egress, Refusal
from browser_worker.ports import BrowserGone


class Confinement:
    """`count` is told of each refusal. Each launch calls `begin`, then `enter` with the browser's context."""

    def __init__(self, egress: Egress, count: Callable[[Refusal], None] = lambda _: None, dial: Dial = dial) -> None:
        self.site = egress.site
        self.refusals = Refusals(count)
        self.left = False
        """The page was kept from leaving the site since it was last opened."""
        self._proxy = EgressProxy(egress, self.refusals, dial)
        self._guard = NavigationGuard(self.site, self._keep)
        self._tabs: Tabs | None = None

    async def begin(self) -> list[str]:
        """The flags that a browser is started with. Raises OSError."""
        self.refusals.begin_anew()
        self.left = False
        await self._proxy.start()
        return [f"--proxy-server=socks5://127.0.0.1:{self._proxy.port}", "--proxy-bypass-list=<-loopback>"]

    def enter(self, context: BrowserContext) -> None:
        self._tabs = Tabs(context, lambda: self.refusals.note(Refusal.TAB))

    async def first_page(self) -> Page:
        """Raises playwright's Error, BrowserGone."""
        return await self._guarded(await self._entered().first())

    async def new_page(self) -> Page:
        """Raises playwright's Error, BrowserGone."""
        return await self._guarded(await self._entered().open())

    def is_push_of_site(self, source: Mapping[str, Any], page: Page) -> bool:
        """Whether a call of a binding comes from the site's top frame. Counts one that does not."""
        frame = source.get("frame")
        genuine = frame is page.main_frame and self.site.shows(page.url)
        if not genuine:
            self.refusals.note(Refusal.PUSH)
        return genuine

    def end(self) -> None:
        """The browser has ended. Idempotent."""
        self._tabs = None
        self._proxy.close()

    async def _guarded(self, page: Page) -> Page:
        await self._guard.watch(page)
        return page

    def _entered(self) -> Tabs:
        if self._tabs is None:
            raise BrowserGone("no browser is running")
        return self._tabs

    def _keep(self, host: str) -> None:
        self.left = True
        self.refusals.note(Refusal.NAVIGATION, host)
