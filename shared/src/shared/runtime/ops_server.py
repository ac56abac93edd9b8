"""The HTTP server of a service for operators: /health/live, /health/ready and /metrics.

`live` says only that the event loop turns: a service in standby answers 200, or the platform would end a good process.
Platforms ask for it without a header, so it answers everybody; the rest wants METRICS_TOKEN and a name that belongs to
this system, on loopback too, where other users of the machine and the pages of a browser can ask.

h11 reads the requests and writes the answers; this module keeps a client from taking more than one small request's
worth of time, memory and connections (docs/adr/0009). Where all connections are taken, the newest replaces the oldest,
so that clients who say nothing keep nobody out.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import h11

from .host_names import is_foreign
from .metrics import CONTENT_TYPE, Metrics

READ_SECONDS = 5.0
MAX_HEAD_BYTES = 16 * 1024
MAX_CLIENTS = 64
PLAIN = "text/plain; charset=utf-8"
HOW_TO_SET = b"METRICS_TOKEN is not set, so nobody may read this; set METRICS_TOKEN or METRICS_TOKEN_FILE\n"
HOW_TO_SEND = b"a token is required: send METRICS_TOKEN as Authorization: Bearer\n"


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    content_type: str = PLAIN


class OpsServer:
    """`ready` gives whether the service can do its work, and a sentence why not. `token` lets a client in; "" lets
    nobody in."""

    def __init__(
        self, metrics: Metrics, *, host: str, port: int, token: str, ready: Callable[[], tuple[bool, str]]
    ) -> None:
        self._metrics = metrics
        self._token = token.encode()
        self._host = host
        self._port = port
        self._ready = ready
        self._open: dict[asyncio.StreamWriter, None] = {}
        """The oldest first."""
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
        self._make_room()
        self._open[writer] = None
        try:
            async with asyncio.timeout(READ_SECONDS):
                connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
                request = await _read_request(connection, reader)
                answer = self._answer(request)
                writer.write(_written(connection, answer, with_body=request.method != b"HEAD"))
                await writer.drain()
        except TimeoutError:
            writer.transport.abort()  # closing would wait until the client has read the answer
        except (OSError, h11.RemoteProtocolError):
            pass  # a client that says nothing sensible gets nothing
        finally:
            self._open.pop(writer, None)
            writer.close()

    def _make_room(self) -> None:
        while len(self._open) >= MAX_CLIENTS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()

    def _answer(self, request: h11.Request) -> _Answer:
        if request.method not in (b"GET", b"HEAD"):
            return _Answer(405, b"only GET\n")
        path = request.target.split(b"?", 1)[0]
        if path == b"/health/live":
            return _Answer(200, b"alive\n")
        return self._refusal(request) or self._answer_to_operator(path)

    def _refusal(self, request: h11.Request) -> _Answer | None:
        given: dict[bytes, bytes] = dict(request.headers)
        if is_foreign(given.get(b"host", b"").decode("latin-1")):
            return _Answer(421, b"this server has no such name\n")
        if not self._token:
            return _Answer(403, HOW_TO_SET)
        scheme, _, presented = given.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(presented.strip(), self._token):
            return _Answer(401, HOW_TO_SEND)
        return None

    def _answer_to_operator(self, path: bytes) -> _Answer:
        match path:
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
