"""Server-sent events: the newest state at once, then each change, and a heartbeat every 5 s.

A stream sends states, not a log. A client that comes back with `Last-Event-ID` gets the newest state, unless it has
that state already. The trap: with the gthread worker each stream holds a thread. A dead client must therefore be
noticed, which the heartbeat and the socket's timeout do, and an old stream ends before a proxy cuts it; its client
connects again, and the login is checked again.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Generator, Iterator

from flask import Response, request

from gateway.domain.request_errors import Busy
from gateway.usecases.follow_status import Changed, FollowStatus

HEARTBEAT_SECONDS = 5.0
STREAM_SECONDS = 14 * 60.0
UNREAD_SECONDS = 10.0
"""A client that takes no bytes for so long is gone."""
RETRY_MS = 2000
PROCESS_ID = uuid.uuid4().hex[:8]
"""Part of each event's id, because the versions of another process mean nothing here."""


class StreamSlots:
    """How many streams may be open at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        return self._taken

    def take(self) -> None:
        """Raises Busy."""
        with self._lock:
            if self._taken >= self._most:
                raise Busy("too many streams are open", retry_after=10, hint="poll the status instead")
            self._taken += 1

    def give_back(self) -> None:
        with self._lock:
            self._taken -= 1


class EventStream:
    """The events of one client. `render` makes the data of a status event; `allowed` tells whether the client may still
    listen. The server always calls `close`, even for a
    stream that never started."""

    def __init__(
        self,
        follow_status: FollowStatus,
        slots: StreamSlots,
        render: Callable[[], bytes],
        last_id: str,
        allowed: Callable[[], bool],
    ) -> None:
        self._follow_status, self._slots, self._render = follow_status, slots, render
        self._last_id = last_id
        self._allowed = allowed
        self._closed = False
        self._events = self._run()
        slots.take()

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._slots.give_back()
            self._events.close()

    def _run(self) -> Generator[bytes]:
        yield b"retry: %d\n\n" % RETRY_MS
        last_id = self._last_id
        for news in self._follow_status(heartbeat=HEARTBEAT_SECONDS, at_most=STREAM_SECONDS, allowed=self._allowed):
            if not isinstance(news, Changed):
                yield b"event: heartbeat\ndata: {}\n\n"
                continue
            event_id = f"{PROCESS_ID}-{news.version}"
            if event_id != last_id:
                last_id = event_id
                yield b"id: %b\nevent: status\ndata: %b\n\n" % (event_id.encode(), self._render())
        if not self._allowed():
            yield b"event: logged-out\ndata: {}\n\n"


def event_response(stream: EventStream) -> Response:
    """The HTTP answer that sends the stream, on a socket that gives up a client which takes no bytes."""
    socket = request.environ.get("gunicorn.socket")
    if socket is not None:
        socket.settimeout(UNREAD_SECONDS)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(stream, mimetype="text/event-stream", headers=headers)
