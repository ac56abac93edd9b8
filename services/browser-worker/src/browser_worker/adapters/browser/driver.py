"""The Playwright driver of one browser: started when it is first needed, replaced when it dies or hangs.

Each session's browser has a driver of its own. A driver handles the calls to all of its browsers in one thread, so a
browser that hangs its driver would otherwise hang the other sessions too.
"""

from __future__ import annotations

import asyncio

from playwright.async_api import BrowserType

from browser_worker.adapters.browser.driver_process import DriverProcess

START_SECONDS = 30.0


class Driver:
    """Belongs to the event loop that first uses it. The driver process ends at `stop`, or with this process."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._process: DriverProcess | None = None

    async def chromium(self) -> BrowserType:
        """Start the driver if none runs. Raises TimeoutError, OSError, playwright's Error."""
        async with self._lock:
            if self._process is not None and not self._process.running:
                await self._end()
            if self._process is None:
                async with asyncio.timeout(START_SECONDS):
                    self._process = await DriverProcess.start()
            return self._process.chromium

    async def replace(self) -> None:
        """Kill a driver that hangs, and its browsers with it; the next call starts another."""
        if self._process is not None:
            self._process.kill()
        await self.stop()

    async def stop(self) -> None:
        """Idempotent; a browser that still runs ends."""
        async with self._lock:
            await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.stop()
