"""Clients that hold on to the gateway: each does one slow thing on its connection, and comes back when it is put out.

They run on an event loop in a thread of their own, so that a test or a benchmark may ask the gateway meanwhile. They
need no key.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any

DRIP_SECONDS = 3.0
"""Between two bytes: less than any limit of a single read."""
AGAIN_SECONDS = 3.0
"""Until a client that was put out comes back."""
CONNECT_AT_ONCE = 50

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drip_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _drip(reader, writer, b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 1000)


async def drip_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"POST /persistent-session/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    await _drip(reader, writer, b"{" + b" " * 998)


async def drip_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"POST /persistent-session/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    await _drip(reader, writer, b"1\r\n \r\n" * 200)


async def keep_idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, its answer, and then nothing more."""
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.read(100)
    await reader.read()


async def read_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for the largest file so often that no buffer holds the answers, and take hardly a byte of them."""
    transport = writer.transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()
    writer.write(b"GET /static/page.css HTTP/1.1\r\nHost: x\r\n\r\n" * 25)
    while True:
        await asyncio.sleep(DRIP_SECONDS)
        writer.write(b" ")  # fails once the gateway has ended the connection
        await writer.drain()


BEHAVIOURS: dict[str, Behaviour] = {
    "silent": say_nothing,
    "drips its head": drip_head,
    "drips its body": drip_body,
    "drips its chunks": drip_chunks,
    "keeps idle": keep_idle,
    "reads slowly": read_slowly,
}


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
    ended = asyncio.ensure_future(reader.read(1))
    try:
        for byte in data:
            writer.write(bytes([byte]))
            await asyncio.wait({ended}, timeout=DRIP_SECONDS)
            if ended.done():
                return
    finally:
        ended.cancel()


class SlowClients:
    """`count` clients with each of the behaviours in turn. Entered when every client has connected once."""

    def __init__(self, port: int, count: int, *behaviours: Behaviour) -> None:
        self._port, self._count, self._behaviours = port, count, behaviours
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: list[asyncio.Task[None]] = []
        self._connecting = asyncio.Semaphore(CONNECT_AT_ONCE)
        self._started = 0
        self._closing = False
        self.put_out = 0
        """How often the gateway ended a connection."""

    def __enter__(self) -> SlowClients:
        allow_files(self._count + 500)
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _open(self) -> None:
        for number in range(self._count):
            behaviour = self._behaviours[number % len(self._behaviours)]
            self._tasks.append(asyncio.create_task(self._come_again(behaviour)))
        while self._started < self._count:
            await asyncio.sleep(0.02)

    async def _close(self) -> None:
        self._closing = True  # a connection made at this very moment hides the cancellation from its task
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _come_again(self, behave: Behaviour) -> None:
        first = True
        while not self._closing:
            writer = None
            try:
                async with self._connecting:
                    reader, writer = await connect(self._port)
                self._started += first
                first = False
                await behave(reader, writer)
            except (OSError, TimeoutError):
                pass
            finally:
                if writer is not None:
                    writer.transport.abort()
            self.put_out += not first
            await asyncio.sleep(AGAIN_SECONDS)


async def connect(port: int) -> Streams:
    """A connection with a small buffer, so that what is not read stays with the sender."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setblocking(False)
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port)), 20)
    except BaseException:
        made.close()
        raise
    return await asyncio.open_connection(sock=made, limit=4096)


def allow_files(count: int) -> None:
    """Let this process open so many files, where the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        with suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
