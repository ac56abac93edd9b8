"""The little HTTP server of a service for operators: /health/live, /health/ready, /metrics.

`live` says only that the event loop turns: it must be 200 in standby, or the platform would end a good process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from .metrics import CONTENT_TYPE, Metrics

READ_SECONDS = 5.0
MAX_HEAD_BYTES = 16 * 1024
MAX_CLIENTS = 64
PLAIN = "text/plain; charset=utf-8"
_REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    content_type: str = PLAIN


class OpsServer:
    """`ready` gives whether the service can do its work, and a sentence why not."""

    def __init__(self, metrics: Metrics, *, host: str, port: int, ready: Callable[[], tuple[bool, str]]) -> None:
        self._metrics = metrics
        self._host = host
        self._port = port
        self._ready = ready
        self._clients = asyncio.Semaphore(MAX_CLIENTS)
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; the port that was given or chosen. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=MAX_HEAD_BYTES)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self._port

    @property
    def port(self) -> int:
        return self._port

    async def stop(self) -> None:
        """Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in list(self._open):
            writer.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 2.0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            async with self._clients, asyncio.timeout(READ_SECONDS):
                method, path = await _read_head(reader)
                answer = self._answer(method, path)
                writer.write(_written(answer, with_body=method != "HEAD"))
                await writer.drain()
        except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that says nothing sensible gets nothing
        finally:
            self._open.discard(writer)
            writer.close()

    def _answer(self, method: str, path: str) -> _Answer:
        if method not in ("GET", "HEAD"):
            return _Answer(405, b"only GET\n")
        match path.split("?", 1)[0]:
            case "/health/live":
                return _Answer(200, b"alive\n")
            case "/health/ready":
                return self._readiness()
            case "/metrics":
                return _Answer(200, self._metrics.render(), CONTENT_TYPE)
        return _Answer(404, b"not found\n")

    def _readiness(self) -> _Answer:
        ready, why = self._ready()
        return _Answer(200 if ready else 503, f"{why or ('ready' if ready else 'not ready')}\n".encode())


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str]:
    """Method and path. Raises ValueError and what the reader raises."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, path, version = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError("not HTTP/1")
    return method, path


def _written(answer: _Answer, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (answer.body if with_body else b"")
