"""Playwright's driver process: started once, shared by every browser of the worker, replaced when it dies.

The trap: a driver in our own process group gets the terminal's Ctrl-C too and would end the browsers before the last
snapshot; so it is started in a session of its own. When we are killed, its pipe closes and it ends by itself.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from playwright.async_api import BrowserType, Error, Playwright, async_playwright

START_SECONDS = 30.0
STOP_SECONDS = 5.0


class Driver:
    """One for a worker; belongs to the event loop that first uses it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def chromium(self) -> BrowserType:
        """Start the driver if it does not run. Raises TimeoutError, OSError."""
        async with self._lock:
            if self._process is not None and self._process.returncode is not None:
                await self._let_go()
            if self._playwright is None:
                self._playwright = await asyncio.wait_for(self._start(), START_SECONDS)
            return self._playwright.chromium

    async def replace(self) -> None:
        """Kill a driver that hangs; the next call starts another. Its browsers go with it."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self.stop()

    async def stop(self) -> None:
        """Idempotent; browsers that still run end."""
        async with self._lock:
            await self._let_go()

    async def _let_go(self) -> None:
        playwright, self._playwright, self._process = self._playwright, None, None
        if playwright is not None:
            with suppress(Error, TimeoutError, OSError):
                await asyncio.wait_for(playwright.stop(), STOP_SECONDS)

    async def _start(self) -> Playwright:
        """Playwright gives no say in how its driver is spawned, so the spawning function is held for that moment."""
        spawn = asyncio.create_subprocess_exec

        async def spawn_apart(*command: Any, **options: Any) -> asyncio.subprocess.Process:
            process = await spawn(*command, **options, start_new_session=True)
            self._process = process
            return process

        setattr(asyncio, spawn.__name__, spawn_apart)
        try:
            return await async_playwright().start()
        finally:
            setattr(asyncio, spawn.__name__, spawn)
