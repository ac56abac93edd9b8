"""The pages that the worker has opened. Every other page of the browser is closed as soon as it appears.

A second page of the site would log in beside the first and put the session into conflict. The headless shell opens
none (`launch_flags.py`); the full browser does when the page asks for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from playwright.async_api import BrowserContext, Error, Page


class Tabs:
    """The tabs of one context. `refused` is told of each page that is closed as a stranger."""

    def __init__(self, context: BrowserContext, refused: Callable[[], None]) -> None:
        self._context = context
        self._refused = refused
        self._ours: set[Page] = set()
        self._opening = 0
        self._closing: set[asyncio.Task[None]] = set()
        context.on("page", lambda _: self._close_strangers())

    async def first(self) -> Page:
        """The page that the browser began with, or a new one."""
        if not self._context.pages:
            return await self.open()
        page = self._context.pages[0]
        self._ours.add(page)
        self._close_strangers()
        return page

    async def open(self) -> Page:
        """Raises playwright's Error. A stranger that appears at the same time is closed afterwards."""
        self._opening += 1
        try:
            page = await self._context.new_page()
            self._ours.add(page)
            return page
        finally:
            self._opening -= 1
            self._close_strangers()

    def _close_strangers(self) -> None:
        """While a page of ours is being opened, nobody can tell which it is."""
        if self._opening:
            return
        self._ours &= set(self._context.pages)
        for page in self._context.pages:
            if page not in self._ours:
                self._ours.add(page)
                self._refused()
                closing = asyncio.ensure_future(_close(page))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)


async def _close(page: Page) -> None:
    with suppress(Error):
        await page.close()
