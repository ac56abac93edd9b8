"""One process of Playwright's driver (Node.js) and the connection to it.

`async_playwright()` neither says which process it has started nor lets the caller choose how. This module therefore
makes the connection from Playwright's own parts, in the order of `playwright/_impl/out_of_process.py`, and spawns the
process itself: in a session of its own, because a terminal sends Ctrl-C to its whole foreground group, and a driver
that gets the signal ends its browsers before the last snapshot. A driver whose pipe closes ends without a signal, so a
killed worker leaves no driver behind.

This is the only module that uses private names of Playwright. The requirements pin Playwright's minor version, and
`test_worker_playwright_private_names.py` names each private name that is used here.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from playwright._impl._driver import compute_driver_executable, get_driver_env
from playwright._impl.connection import Connection
from playwright._impl.transport import PipeTransport
from playwright.async_api import BrowserType, Playwright

STOP_SECONDS = 5.0
_READ_BYTES = 32 * 1024


class DriverProcess:
    """A driver that runs. Made by `start` alone."""

    chromium: BrowserType

    def __init__(self, pipe: _Pipe, connection: Connection) -> None:
        self._pipe = pipe
        self._connection = connection
        self._reading = asyncio.ensure_future(pipe.run())
        self._reading.add_done_callback(self._close_connection)

    @classmethod
    async def start(cls) -> DriverProcess:
        """Spawn a driver and connect to it; a start that fails or is cancelled leaves no process. Raises OSError,
        playwright's Error."""
        loop = asyncio.get_running_loop()
        connection, pipe = Connection(loop), _Pipe(loop)
        connection.onmessage = pipe.send
        pipe.on_message = lambda message: _dispatch(connection, message)
        await pipe.connect()
        driver = cls(pipe, connection)
        try:
            driver.chromium = Playwright(await connection.initialize_playwright()).chromium
        except BaseException:
            driver.kill()
            await driver.stop()
            raise
        return driver

    @property
    def running(self) -> bool:
        return self._pipe.process.returncode is None and not self._reading.done()

    def kill(self) -> None:
        """SIGKILL; idempotent. The browsers of this driver lose their pipe and end."""
        with suppress(ProcessLookupError):
            self._pipe.process.kill()

    async def stop(self) -> None:
        """Close the pipe and wait for the end of the process, then kill it. Idempotent; browsers that still run end."""
        self._pipe.request_stop()
        await asyncio.wait({self._reading}, timeout=STOP_SECONDS)
        self.kill()
        await asyncio.wait({self._reading}, timeout=STOP_SECONDS)

    def _close_connection(self, reading: asyncio.Future[None]) -> None:
        """Calls that still wait for an answer fail now. Reading the error keeps asyncio from logging it."""
        if not reading.cancelled():
            reading.exception()
        self._connection.close()


class _Pipe(PipeTransport):
    """Playwright's pipe to a driver; only the spawning differs from its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.on_error_future.add_done_callback(lambda lost: lost.exception())

    @property
    def process(self) -> asyncio.subprocess.Process:
        return self._proc

    async def connect(self) -> None:
        self._stopped_future: asyncio.Future[None] = self._loop.create_future()
        node, script = compute_driver_executable()
        self._proc = await asyncio.create_subprocess_exec(
            node,
            script,
            "run-driver",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_READ_BYTES,
            env=get_driver_env(),
            start_new_session=True,
        )
        self._output = self._proc.stdin


def _dispatch(connection: Connection, message: Any) -> None:
    """An error of an event listener reaches the next call to Playwright instead of ending the reader."""
    try:
        connection.dispatch(message)
    except Exception as error:
        connection._on_event_listener_error(error)
