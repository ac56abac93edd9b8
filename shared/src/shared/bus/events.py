"""The stream of events: writing one, and reading from some time ago on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from shared.contracts.errors import TimedOut, Unavailable
from shared.contracts.message import Message, encode
from shared.contracts.subjects import EVENTS_STREAM

from . import jetstream
from .replay import Item, Replay
from .serving import settle
from .transport import Served, Transport

OnEvent = Callable[[bytes, str], Awaitable[None] | None]


async def publish_event(transport: Transport, subject: str, message: Message) -> None:
    """Raises Unavailable; the stream drops a repetition of the same attempt by its id."""
    try:
        await jetstream.store(transport, subject, encode(message), {"Nats-Msg-Id": uuid4().hex})
    except TimedOut:
        raise Unavailable("the event was not acknowledged") from None


async def watch_events(transport: Transport, on_event: OnEvent, *, since: datetime) -> Served:
    """Events stored since `since`, then new ones, in order; none twice, also over reconnects."""
    place = _Place(transport, since)

    async def take(item: Item) -> None:
        place.last = item.sequence
        await settle(on_event(item.data, item.subject))

    replay = Replay(transport, EVENTS_STREAM, place.config, take)
    replay.start()
    return replay


class _Place:
    """Where to go on reading. A stream that was made anew is read from the start time again."""

    def __init__(self, transport: Transport, since: datetime) -> None:
        self._transport = transport
        self._since = since
        self._stream = ""
        self.last = 0

    async def config(self) -> Mapping[str, Any]:
        info = await jetstream.call(self._transport, f"STREAM.INFO.{EVENTS_STREAM}", {})
        if info["created"] != self._stream:
            self._stream, self.last = str(info["created"]), 0
        if self.last:
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": self.last + 1}
        since = self._since.isoformat()
        return {"deliver_policy": "by_start_time", "opt_start_time": since}
