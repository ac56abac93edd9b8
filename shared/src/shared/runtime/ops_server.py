"""The HTTP server of a service for operators: /health/live, /health/ready and /metrics.

`live` says only that the event loop turns: a service in standby answers 200, or the platform would end a good process.
h11 reads the requests and writes the answers; this module keeps a client from taking more than one small request's
worth of time, memory and connections (docs/adr/0009).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import h11

from .metrics import CONTENT_TYPE, Metrics

READ_SECONDS = 5.0
MAX_HEAD_BYTES = 16 * 1024
MAX_CLIENTS = 64
PLAIN = "text/plain; charset=utf-8"


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
                connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
                request = await _read_request(connection, reader)
                answer = self._answer(request.method, request.target)
                writer.write(_written(connection, answer, with_body=request.method != b"HEAD"))
                await writer.drain()
        except TimeoutError:
            writer.transport.abort()  # closing would wait until the client has read the answer
        except (OSError, h11.RemoteProtocolError):
            pass  # a client that says nothing sensible gets nothing
        finally:
            self._open.discard(writer)
            writer.close()

    def _answer(self, method: bytes, target: bytes) -> _Answer:
        if method not in (b"GET", b"HEAD"):
            return _Answer(405, b"only GET\n")
        match target.split(b"?", 1)[0]:
            case b"/health/live":
                return _Answer(200, b"alive\n")
            case b"/health/ready":
                return self._readiness()
            case b"/metrics":
                return _Answer(200, self._metrics.render(), CONTENT_TYPE)
        return _Answer(404, b"not found\n")

    def _readiness(self) -> _Answer:
        ready, why = self._ready()
        return _Answer(200 if ready else 503, f"{why or ('ready' if ready else 'not ready')}\n".encode())


async def _read_request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request:
    """Raises h11.RemoteProtocolError for everything that is no request, a connection that ends too soon included."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            raise h11.RemoteProtocolError("no request")
        connection.receive_data(await reader.read(MAX_HEAD_BYTES))


def _written(connection: h11.Connection, answer: _Answer, *, with_body: bool) -> bytes:
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
    ]
    response = h11.Response(status_code=answer.status, reason=HTTPStatus(answer.status).phrase, headers=headers)
    body = [h11.Data(data=answer.body)] if with_body else []
    return b"".join(connection.send(part) or b"" for part in (response, *body, h11.EndOfMessage()))
