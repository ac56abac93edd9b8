"""Server-sent events: the newest state at once, then each change, and a heartbeat every 5 s.

A stream sends states, not a log. A client that comes back with `Last-Event-ID` gets the newest state, unless it has
that state already. An old stream ends before a proxy cuts it; its client connects again, and the login is checked
again. The heartbeat is also when the server looks whether the client is still there.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Generator, Iterator

from flask import Response

from gateway.domain.fair_share import Holders
from gateway.domain.request_errors import Busy
from gateway.usecases.follow_status import Changed, FollowStatus

HEARTBEAT_SECONDS = 5.0
STREAM_SECONDS = 14 * 60.0
RETRY_MS = 2000
PROCESS_ID = uuid.uuid4().hex[:8]
"""Part of each event's id, because the versions of another process mean nothing here."""


class Slot:
    """The right to keep a stream open, until another login needs it more."""

    def __init__(self) -> None:
        self.lost = False


class StreamSlots:
    """How many streams may be open at once. When all slots are taken, a login that has fewer streams than another gets
    the oldest slot of the login that has the most: so none can keep the others out."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._slots = Holders[Slot]()
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        return len(self._slots)

    def take(self, login: str) -> Slot:
        """Raises Busy."""
        taken = Slot()
        with self._lock:
            if len(self._slots) >= self._most:
                greediest = self._slots.greediest()
                if self._slots.held_by(login) + 1 >= self._slots.held_by(greediest):
                    raise Busy("too many streams are open", retry_after=10, hint="poll the status instead")
                oldest = self._slots.oldest(greediest)
                oldest.lost = True
                self._slots.remove(oldest)
            self._slots.add(login, taken)
        return taken

    def give_back(self, slot: Slot) -> None:
        with self._lock:
            self._slots.remove(slot)


class EventStream:
    """The events of one client. `render` makes the data of a status event; `allowed` tells whether the client may still
    listen. The server always calls `close`, even for a stream that never started."""

    def __init__(
        self,
        follow_status: FollowStatus,
        slots: StreamSlots,
        login: str,
        render: Callable[[], bytes],
        last_id: str,
        allowed: Callable[[], bool],
    ) -> None:
        self._follow_status, self._slots, self._render = follow_status, slots, render
        self._last_id = last_id
        self._allowed = allowed
        self._events = self._run()
        self._slot = slots.take(login)

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        self._slots.give_back(self._slot)
        self._events.close()

    def _may_go_on(self) -> bool:
        return not self._slot.lost and self._allowed()

    def _run(self) -> Generator[bytes]:
        yield b"retry: %d\n\n" % RETRY_MS
        last_id = self._last_id
        for news in self._follow_status(heartbeat=HEARTBEAT_SECONDS, at_most=STREAM_SECONDS, allowed=self._may_go_on):
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
    """The HTTP answer that sends the stream."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(stream, mimetype="text/event-stream", headers=headers)
