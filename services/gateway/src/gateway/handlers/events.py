"""The status as server-sent events: the newest state at once, then each change, a heartbeat every 5 s.

A stream sends states, not a log: a client that comes back with `Last-Event-ID` gets the newest state unless it has
it already. The trap: with the gthread worker each stream holds a thread, so a dead client must be noticed (heartbeat,
socket timeout) and an old stream ends by itself, before a proxy cuts it and so that its login is checked again.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Generator, Iterator

from flask import Blueprint, Response, request

from gateway.domain.refusals import Busy
from shared.contracts.metrics import GATEWAY_STREAMS

from .door import Door, StatusBytes
from .session_api import PATH, known_session

HEARTBEAT_SECONDS = 5.0
STREAM_SECONDS = 14 * 60.0
STALLED_SECONDS = 10.0
"""A client that takes no bytes for so long is gone."""

LIFE = uuid.uuid4().hex[:8]
"""Event ids of another process's life mean nothing here."""


class Places:
    """How many streams may be open."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0
        self._lock = threading.Lock()

    @property
    def open(self) -> int:
        return self._open

    def take(self) -> None:
        """Raises Busy."""
        with self._lock:
            if self._open >= self._most:
                raise Busy("too many streams are open", retry_after=10, hint="poll the status instead")
            self._open += 1

    def give_back(self) -> None:
        with self._lock:
            self._open -= 1


class Stream:
    """The events of one client. `close` is called by the server in every case, a started stream or not."""

    def __init__(self, door: Door, places: Places, rendered: StatusBytes, session: str, last_id: str) -> None:
        self._door, self._places, self._rendered, self._session = door, places, rendered, session
        self._last_id = last_id
        self._closed = False
        self._events = self._run()
        places.take()

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._places.give_back()
            self._events.close()

    def _run(self) -> Generator[bytes]:
        door = self._door
        end = door.clock.monotonic() + STREAM_SECONDS
        seen = door.view.version()
        yield b"retry: 2000\n\n"
        if self._last_id != _id(seen):
            yield self._status(seen)
        beat = door.clock.monotonic() + HEARTBEAT_SECONDS
        while not door.view.stopping and door.clock.monotonic() < end:
            version = door.view.wait(seen, max(0.0, beat - door.clock.monotonic()))
            if version != seen:
                seen = version
                yield self._status(seen)
            if door.clock.monotonic() >= beat:
                beat = door.clock.monotonic() + HEARTBEAT_SECONDS
                yield b"event: heartbeat\ndata: {}\n\n"

    def _status(self, version: int) -> bytes:
        return b"id: %b\nevent: status\ndata: %b\n\n" % (_id(version).encode(), self._rendered.get(self._session))


def blueprint(door: Door, rendered: StatusBytes) -> Blueprint:
    routes = Blueprint("events", __name__)
    places = Places(door.limits.streams)
    gauge = door.metrics.gauge(GATEWAY_STREAMS)
    gauge.set_function(lambda: places.open)

    @routes.get(f"{PATH}/events")
    def events() -> Response:
        session = known_session(door, request.args.get("session", ""))
        rendered.get(session)  # the errors of a view that is not loaded come before the stream begins
        stream = Stream(door, places, rendered, session, request.headers.get("Last-Event-ID", ""))
        _end_when_stalled()
        return Response(
            stream,
            mimetype="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


def _end_when_stalled() -> None:
    socket = request.environ.get("gunicorn.socket")
    if socket is not None:
        socket.settimeout(STALLED_SECONDS)


def _id(version: int) -> str:
    return f"{LIFE}-{version}"
