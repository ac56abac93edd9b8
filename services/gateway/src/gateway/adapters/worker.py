"""The gunicorn worker: a greenlet for each connection, and a bound on everything for which it waits for its client.

A slow client costs a greenlet and nothing that others need, so no answer ever queues behind it. Three times are
bounded, each as a whole and not for a single read: a request with its body, the taking of an answer, and the pause
between two requests. How many connections may wait is bounded too, for each address and in all. A newcomer beyond that
is served; the connection that has waited longest, of the address with the most, is put out. Whoever sends a request at
once is therefore never among those who must leave.

The traps: a body is read before the application runs, because a `Timeout` must never end application code halfway; and
a connection is put out by ending its socket, never by an exception thrown into its greenlet.
"""

from __future__ import annotations

import io
import os
import socket as sockets
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from gevent import Timeout, sleep
from gevent.pool import Pool
from gevent.select import select
from gevent.server import StreamServer
from gevent.socket import wait_read
from gunicorn.http import errors, wsgi
from gunicorn.http.parser import RequestParser
from gunicorn.workers.ggevent import GeventWorker
from werkzeug import Response

from gateway.domain.addresses import client_of, network_of
from gateway.domain.fair_share import WaitingRoom
from shared.contracts.identifiers import MAX_BODY_BYTES
from shared.runtime import get_logger

REQUEST_SECONDS = 10.0
"""For a whole request, head and body, from its first byte; on a new connection, from the connection's begin."""
TAKING_SECONDS = 10.0
"""For a client to take an answer, or one part of a stream."""
IDLE_SECONDS = 15.0
"""Between two requests of a connection."""
PARTING_SECONDS = 0.5
"""For a client to read why its connection ends, while it may still be sending."""
NOTIFY_SECONDS = 1.0
SEND_BUFFER_BYTES = 128 * 1024
"""What the kernel keeps for a client that does not read; many such clients must not fill the memory."""
VANISHED_SECONDS = 15
"""A client whose machine acknowledges nothing for so long is gone."""
_RESET = struct.pack("ii", 1, 0)

_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (errors.LimitRequestLine, 414),
    (errors.LimitRequestHeaders, 431),
    (errors.ExpectationFailed, 417),
    (errors.UnsupportedTransferCoding, 501),
    (errors.ParseException, 400),
)
"""What gunicorn's parser finds wrong, and the status that says so; the first row that fits."""


class Refusal(StrEnum):
    """Why a connection ends without an answer of the application."""

    MALFORMED = "malformed"
    SLOW_REQUEST = "slow_request"
    SLOW_READER = "slow_reader"
    CROWDED = "crowded"


@dataclass(frozen=True)
class Limits:
    """`waiting`: connections that may wait for their clients, in all; `waiting_of_one`: of one address.
    `trusted_proxies`: how many proxies in front of the gateway write X-Forwarded-For."""

    waiting: int = 1000
    waiting_of_one: int = 256
    trusted_proxies: int = 0


@dataclass(eq=False)
class _Connection:
    """`asking`: the client owes the rest of a request, so that a refusal can be read as its answer."""

    socket: Any
    peer: tuple[Any, ...]
    asking: bool = field(default=True, init=False)
    put_out: bool = field(default=False, init=False)

    def end(self, last_words: bytes = b"") -> None:
        """End it from outside its greenlet, which then finds the connection closed. Never blocks."""
        self.put_out = True
        with suppress(OSError):
            if last_words:
                os.write(self.socket.fileno(), last_words)
            self.socket.shutdown(sockets.SHUT_RDWR)

    def has_left(self) -> bool:
        """Whether the client has ended its side."""
        readable, _, _ = select([self.socket], [], [], 0)
        return bool(readable) and not self.socket.recv(1, sockets.MSG_PEEK)


class _SlowRequest(BaseException):
    """The request did not come whole in time."""


class _SlowReader(BaseException):
    """The client did not take its answer in time."""


class Worker(GeventWorker):  # type: ignore[misc]
    """Its `app` is the `Server`, which knows the limits and makes the refusals."""

    def run(self) -> None:
        """Serve until the signal to stop, then finish the requests under way."""
        limits: Limits = self.app.limits
        self._proxies = limits.trusted_proxies
        self._room = WaitingRoom[_Connection](most=limits.waiting, most_of_one=limits.waiting_of_one)
        pool = Pool(self.cfg.worker_connections)
        servers = [StreamServer(each, handle=partial(self.handle, each), spawn=pool) for each in self.sockets]
        for listener, server in zip(self.sockets, servers, strict=True):
            _prepare(listener)
            server.start()
        while self.alive:
            self.notify()
            self._sleep()
        for server in servers:
            server.close()
        for connection in self._room:
            connection.end()
        if not pool.join(timeout=self.cfg.graceful_timeout):
            get_logger().warning("requests_cut_off", count=len(pool))
            pool.kill(timeout=NOTIFY_SECONDS)

    def _sleep(self) -> None:
        """Until a signal comes, which gunicorn's wake-up file tells, or a second has passed."""
        with suppress(TimeoutError, OSError):
            wait_read(self.PIPE[0], timeout=NOTIFY_SECONDS, timeout_exc=TimeoutError())
            os.read(self.PIPE[0], 512)

    def handle(self, listener: Any, client: Any, peer: Any) -> None:
        """One connection from begin to end."""
        connection = _Connection(client, peer)
        try:
            self._serve(connection, listener.getsockname())
        except (StopIteration, errors.NoMoreData, OSError):
            pass  # the client has left, or was put out
        except _SlowRequest:
            self._refuse(connection, Refusal.SLOW_REQUEST, 408)
        except _SlowReader:
            self.app.refuse(Refusal.SLOW_READER, 408)
            with suppress(OSError):  # forget what the kernel still holds for this client
                client.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, _RESET)
        except errors.ParseException as error:
            status = next(status for kind, status in _STATUSES if isinstance(error, kind))
            self._refuse(connection, Refusal.MALFORMED, status)
        except Exception as error:
            get_logger().error("connection_crashed", error=type(error).__name__)
        finally:
            self._room.leave(connection)
            client.close()

    def _serve(self, connection: _Connection, listener_name: Any) -> None:
        """One request after the other."""
        parser = RequestParser(self.cfg, connection.socket, connection.peer)
        more = True
        while more and self.alive:
            with self._waiting(connection, self._holder(connection)):
                if not self._await_begin(connection, parser):
                    return
                with Timeout(REQUEST_SECONDS, _SlowRequest()):
                    request = next(parser)
                    _check_host(request)
                    # asks for the body where the client waits to be asked
                    response, environ = wsgi.create(
                        request, connection.socket, connection.peer, listener_name, self.cfg
                    )
                    body = self._read_body(connection, request)
            if parser.unreader.buf.getvalue():  # asked before the answer was taken: this answer is the last
                request.force_close()
            connection.asking = False
            environ |= {"wsgi.input": io.BytesIO(body), "wsgi.multithread": True}
            if environ.pop("HTTP_TRANSFER_ENCODING", ""):  # the chunks are put together, so their length is known
                environ["CONTENT_LENGTH"] = str(len(body))
            more = self._answer(connection, request, response, environ)
            sleep(0)  # busy connections take turns

    def _await_begin(self, connection: _Connection, parser: RequestParser) -> bool:
        """Whether another request begins in time; the time of the first one runs from the connection's begin."""
        if parser.req_count and not parser.unreader.buf.getvalue():
            with suppress(TimeoutError):
                wait_read(connection.socket.fileno(), timeout=IDLE_SECONDS, timeout_exc=TimeoutError())
                connection.asking = True
                return True
            return False
        connection.asking = True
        return True

    def _read_body(self, connection: _Connection, request: Any) -> bytes:
        """The whole body; where it is too large, as much as makes the application refuse it."""
        with self._waiting(connection, self._holder(connection, request)):
            length = next((int(value) for name, value in request.headers if name == "CONTENT-LENGTH"), 0)
            if length > MAX_BODY_BYTES:
                request.force_close()
                return b""
            body: bytes = request.body.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            request.force_close()
        if len(body) < length:
            raise errors.NoMoreData(b"")
        return body

    def _answer(self, connection: _Connection, request: Any, response: Any, environ: dict[str, Any]) -> bool:
        """Whether another request may follow."""
        parts = self.wsgi(environ, response.start_response)
        try:
            if not self.alive:
                response.force_close()
            if response.response_length is None:
                for part in parts:
                    if connection.has_left():
                        return False
                    with Timeout(TAKING_SECONDS, _SlowReader()):
                        response.write(part)
                response.close()
            else:
                self._write(connection, request, response, parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        if response.should_close():
            self._part(connection)
            return False
        return True

    def _write(self, connection: _Connection, request: Any, response: Any, parts: Iterable[bytes]) -> None:
        holder = self._holder(connection, request)
        with self._waiting(connection, holder), Timeout(TAKING_SECONDS, _SlowReader()):
            for part in parts:
                response.write(part)
            response.close()

    def _holder(self, connection: _Connection, request: Any = None) -> str:
        """Who counts as the client. "": a proxy, which has not yet said for whom it speaks."""
        peer = str(connection.peer[0])
        if not self._proxies:
            return network_of(peer)
        if request is None:
            return ""
        forwarded = ",".join(value for name, value in request.headers if name == "X-FORWARDED-FOR")
        return network_of(client_of(peer, forwarded, self._proxies))

    @contextmanager
    def _waiting(self, connection: _Connection, holder: str) -> Iterator[None]:
        """Within, the gateway waits for the client, so the connection may be put out."""
        leaving = self._room.enter(holder, connection)
        if leaving is not None:
            refusal = _encoded(self.app.refuse(Refusal.CROWDED, 503))
            leaving.end(refusal if leaving.asking else b"")
        try:
            yield
        finally:
            self._room.leave(connection)
        if connection.put_out:
            raise errors.NoMoreData(b"")

    def _refuse(self, connection: _Connection, refusal: Refusal, status: int) -> None:
        if connection.put_out:
            return
        answer = _encoded(self.app.refuse(refusal, status))
        with suppress(OSError, Timeout), Timeout(PARTING_SECONDS):
            connection.socket.sendall(answer)
        self._part(connection)

    def _part(self, connection: _Connection) -> None:
        """Let the client read the last answer: a socket closed with unread bytes would take the answer back."""
        with suppress(OSError, errors.NoMoreData, Timeout), Timeout(PARTING_SECONDS):
            connection.socket.shutdown(sockets.SHUT_WR)
            with self._waiting(connection, self._holder(connection)):
                connection.asking = False
                while connection.socket.recv(65536):
                    pass


def _prepare(listener: Any) -> None:
    """Accepted sockets inherit these."""
    listener.setblocking(True)
    listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(sockets, "TCP_USER_TIMEOUT"):
        listener.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_USER_TIMEOUT, VANISHED_SECONDS * 1000)


def _check_host(request: Any) -> None:
    """Raises InvalidHeader where a request of HTTP/1.1 names no host; gunicorn itself refuses two."""
    if request.version >= (1, 1) and all(name != "HOST" for name, _ in request.headers):
        raise errors.InvalidHeader("HOST", req=request)


def _encoded(response: Response) -> bytes:
    lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in response.headers)]
    return ("\r\n".join([*lines, "Connection: close", "", ""])).encode("latin-1") + response.get_data()
