"""The stream of events: writing one event, and reading from a point in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from shared.contracts.errors import TimedOut, Unavailable
from shared.contracts.message import SIGNATURE, Identity, Message, encode
from shared.contracts.subjects import EVENTS_STREAM

from . import jetstream
from .gate import Gate
from .listening import await_result
from .ordered_consumer import OrderedConsumer, StreamMessage
from .transport import Subscription, Transport

OnEvent = Callable[[bytes, str], Awaitable[None] | None]


async def publish_event(transport: Transport, identity: Identity, subject: str, message: Message) -> None:
    """Raises Unavailable. JetStream drops a repetition of the same attempt by its id."""
    data = encode(message)
    headers = {"Nats-Msg-Id": uuid4().hex, SIGNATURE: identity.sign(subject, {}, data)}
    try:
        await jetstream.publish(transport, subject, data, headers)
    except TimedOut:
        raise Unavailable("the event was not acknowledged") from None


async def watch_events(transport: Transport, gate: Gate, on_event: OnEvent, *, since: datetime) -> Subscription:
    """Events stored since `since`, then new ones, in order; none twice, also over reconnects. An event that its sender
    has not signed is left out and counted."""
    position = _Position(transport, since)

    async def on_message(message: StreamMessage) -> None:
        position.sequence = message.sequence
        if gate.believes(message.subject, message.headers, message.data, where=EVENTS_STREAM):
            await await_result(on_event(message.data, message.subject))

    consumer = OrderedConsumer(transport, EVENTS_STREAM, position.config, on_message)
    consumer.start()
    return consumer


class _Position:
    """Where the next consumer begins. A stream that was made anew is read from the start time again."""

    def __init__(self, transport: Transport, since: datetime) -> None:
        self._transport = transport
        self._since = since
        self._stream_created = ""
        self.sequence = 0

    async def config(self) -> Mapping[str, Any]:
        info = await jetstream.call(self._transport, f"STREAM.INFO.{EVENTS_STREAM}", {})
        if info["created"] != self._stream_created:
            self._stream_created, self.sequence = str(info["created"]), 0
        if self.sequence:
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": self.sequence + 1}
        return {"deliver_policy": "by_start_time", "opt_start_time": self._since.isoformat()}
