"""One connected page: its websocket, what it shows, and whether a living browser is still behind it.

The trap: the kernel closes the socket of a killed browser at once, but the socket of a stopped browser (SIGSTOP) stays
open. Only a probe tells a living page from a frozen one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from typing import Any, Literal

from aiohttp import web

Found = Literal["alive", "frozen", "closed"]
State = Literal["connecting", "qr", "idle", "linking", "main", "conflict", "blocked", "logged_out", "closed"]


class PageSocket:
    """Sends messages in order through its own queue, so that a stopped browser never blocks the server."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.id = secrets.token_hex(4)
        self.nonce = secrets.token_hex(32)
        self.since = ""
        self.state: State = "connecting"
        self.device: int | None = None
        self.ref: str | None = None
        self.code: str | None = None
        self.keys: dict[str, str] = {}
        self.reported: dict[str, Any] = {}
        self._socket = socket
        self._request = request
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())
        self._pong = asyncio.Event()

    @property
    def open(self) -> bool:
        return not self._socket.closed and self.state != "closed"

    def send(self, type_: str, /, **fields: Any) -> None:
        self._queue.put_nowait({"type": type_, **fields})

    def hang_up(self) -> None:
        """Close after everything sent so far has left."""
        self._queue.put_nowait(None)

    def abort(self) -> None:
        """Cut the connection as a broken network does, without a closing frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def answered(self) -> None:
        self._pong.set()

    async def probe(self, timeout: float) -> Found:
        """`alive` when the browser answers a ping within `timeout` seconds."""
        self._pong.clear()
        try:
            async with asyncio.timeout(timeout):
                await self._socket.ping(b"probe")
                while self.open and not self._pong.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._pong.wait(), 0.01)
        except TimeoutError:
            return "frozen" if self.open else "closed"
        except (ConnectionError, RuntimeError):
            return "closed"
        return "alive" if self._pong.is_set() and self.open else "closed"

    async def finish(self) -> None:
        """Call once, when the reading side has ended."""
        self.state = "closed"
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            while (message := await self._queue.get()) is not None:
                await self._socket.send_str(json.dumps(message))
            await self._socket.close()
