"""A TCP proxy in front of a server; the proxy fails on command.

The proxy runs in a thread of its own, so that tests of blocking clients (boto3) and of asynchronous clients can use it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit

MODES = ("pass", "refuse", "hang", "cut", "403")
CHUNK_BYTES = 16 * 1024
BODY_LIMIT_BYTES = 64 * 1024 * 1024
"""The proxy does not read more of a refused request's body."""
LINE_END = b"\r\n"
HEAD_END = b"\r\n\r\n"
POLL_SECONDS = 0.02
FORBIDDEN_BODY = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>'
FORBIDDEN = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: "
    + str(len(FORBIDDEN_BODY)).encode()
    + b"\r\n\r\n"
)


class FaultProxy:
    """Any thread may set `mode` at any time; the new mode acts on open connections too, before the assignment returns.

    pass · refuse (connections are reset at once) · hang (connections stay open, but nothing passes) · cut (reset after
    `cut_after_bytes` of the answer) · 403 (S3's refusal, without asking the server).
    """

    def __init__(self, target_url: str, *, mode: str = "pass", cut_after_bytes: int = 4096) -> None:
        parts = urlsplit(target_url)
        if parts.hostname is None or parts.port is None:
            raise ValueError("the target needs a host and a port")
        self.cut_after_bytes = cut_after_bytes
        self._scheme = parts.scheme
        self._target = (parts.hostname, parts.port)
        self._mode = _known(mode)
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.Task[Any]] = set()

    @property
    def mode(self) -> str:
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        self._mode = _known(mode)
        if mode in ("refuse", "cut", "403") and self._thread.is_alive():
            self._run(self._end_all())

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._port}"

    def start(self) -> FaultProxy:
        self._thread.start()
        self._run(self._listen())
        return self

    def stop(self) -> None:
        """Idempotent."""
        if not self._thread.is_alive():
            return
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()

    def __enter__(self) -> FaultProxy:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10.0)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._abort_all()
        for client in list(self._clients):
            client.cancel()
        if self._clients:
            await asyncio.wait(self._clients, timeout=2.0)

    async def _end_all(self) -> None:
        """Wait until all connections are closed: a request on an old connection would not see the new mode."""
        ending = list(self._open)
        self._abort_all()
        for writer in ending:
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _abort_all(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._clients.add(task)
        self._open.add(writer)
        try:
            await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()
            if task is not None:
                self._clients.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._while_hanging()
        if self._mode == "refuse":
            return
        if self._mode == "403":
            await _forbid(reader, writer)
            return
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        self._open.add(upstream_writer)
        try:
            pumps = [
                asyncio.create_task(self._pump(reader, upstream_writer, answer=False)),
                asyncio.create_task(self._pump(upstream_reader, writer, answer=True)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.wait(pumps)
        finally:
            self._open.discard(upstream_writer)
            upstream_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answer: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._while_hanging()
                if self._mode == "cut" and answer:
                    chunk = chunk[: max(0, self.cut_after_bytes - passed)]
                writer.write(chunk)
                await writer.drain()
                passed += len(chunk)
                if self._mode == "cut" and answer and passed >= self.cut_after_bytes:
                    return
            if writer.can_write_eof():
                writer.write_eof()
            if not answer:
                await asyncio.Event().wait()  # the request is complete; the answer ends the connection

    async def _while_hanging(self) -> None:
        while self._mode == "hang":  # noqa: ASYNC110  (set from any thread)
            await asyncio.sleep(POLL_SECONDS)


async def _forbid(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer after the whole request: unread bytes at the end would turn the answer into a reset."""
    head = await reader.readuntil(HEAD_END)
    if b"expect: 100-continue" not in head.lower():
        await _read_body(reader, head)
    writer.write(FORBIDDEN + (b"" if head.startswith(b"HEAD ") else FORBIDDEN_BODY))
    await writer.drain()
    writer.write_eof()
    await _drop(reader, BODY_LIMIT_BYTES)


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> None:
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        await _read_chunks(reader)
    else:
        await _drop(reader, min(int(fields.get(b"content-length", b"0")), BODY_LIMIT_BYTES))


async def _read_chunks(reader: asyncio.StreamReader) -> None:
    left = BODY_LIMIT_BYTES
    while left > 0 and (size := int((await reader.readline()).split(b";")[0] or b"0", 16)):
        await _drop(reader, size + len(LINE_END))
        left -= size
    while await reader.readline() not in (LINE_END, b""):
        continue  # trailers


async def _drop(reader: asyncio.StreamReader, count: int) -> None:
    """Read up to `count` bytes, or to the end of the request."""
    while count > 0 and (chunk := await reader.read(min(count, CHUNK_BYTES))):
        count -= len(chunk)


def _known(mode: str) -> str:
    if mode not in MODES:
        raise ValueError(f"the mode is one of {', '.join(MODES)}")
    return mode
