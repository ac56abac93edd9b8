"""The bus as the services know it: typed requests, telemetry, events and buckets over a transport."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from shared.clock import Clock
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.message import SIGNATURE, Identity, Message, encode

from . import events, streams
from .buckets import Bucket
from .connection import Connection
from .gate import Gate
from .listening import Listener, OnMessage
from .options import BusOptions
from .requests import (
    Handler,
    RequestServer,
    check_answer,
    read_bytes,
    read_message,
    request_headers,
    written,
)
from .transport import Incoming, Subscription, Transport

M = TypeVar("M", bound=Message)
R = TypeVar("R", bound=Message)


class Bus:
    """All methods belong to the event loop in which it was connected."""

    def __init__(self, transport: Transport, clock: Clock, identity: Identity | None = None) -> None:
        """Without an identity nobody believes what the bus sends, and it believes nobody."""
        self._transport = transport
        self._clock = clock
        self._identity = identity or Identity("", os.urandom(32), {})
        self._gate = Gate(self._identity, transport.counts, clock)
        self._subscriptions: list[Subscription] = []

    @classmethod
    async def connect(cls, options: BusOptions, *, clock: Clock, wait_seconds: float | None = 30.0) -> Bus:
        """Try for `wait_seconds` (None: without a limit). Raises Unavailable, also when NATS keeps refusing the
        credentials."""
        connection = Connection(options)
        await connection.open(wait_seconds)
        return cls(connection, clock, options.identity)

    @property
    def connected(self) -> bool:
        return self._transport.connected

    @property
    def counts(self) -> Counter[str]:
        """Faults by name since the start: lost, refused, permission, slow_consumer, late, bad_message,
        handler_failed, dropped, answer_lost, unverified, misaddressed, replayed (see `gate`)."""
        return self._transport.counts

    @property
    def command_key(self) -> str:
        """The key for commands to the sessions of this process; others learn it from the process's heartbeats."""
        return self._identity.command_key

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Called in the event loop when the connection is gone."""
        self._transport.on_lost(callback)

    def on_back(self, callback: Callable[[], None]) -> None:
        """Called in the event loop when the connection is back (not the first time)."""
        self._transport.on_back(callback)

    async def request(
        self,
        subject: str,
        message: Message,
        reply: type[R],
        *,
        timeout: float,
        command_id: str | None = None,
        owner_key: str = "",
    ) -> R:
        """Ask and wait at most `timeout` seconds. `owner_key`: the owner's `command_key`, for private commands.
        Raises ServiceError (`shared.contracts.errors`), at once without a connection. After TimedOut it is unknown
        whether the request was carried out."""
        return read_message(await self._ask(subject, message, timeout, command_id, owner_key), reply)

    async def request_bytes(self, subject: str, message: Message, *, timeout: float) -> bytes:
        """As `request`, for an answer of raw bytes."""
        return read_bytes(await self._ask(subject, message, timeout, None, ""))

    async def _ask(
        self, subject: str, message: Message, timeout: float, command_id: str | None, owner_key: str
    ) -> Incoming:
        data = written(self._identity, message, owner_key)
        headers = request_headers(self._clock, timeout, command_id)
        headers[SIGNATURE] = self._identity.sign(subject, headers, data)
        answer = await self._transport.request(subject, data, headers, timeout=timeout)
        return check_answer(self._gate, subject, headers, answer)

    async def serve(
        self, subject: str, kind: type[M], handler: Handler[M], *, queue: str = "", concurrency: int = 16
    ) -> Subscription:
        """Answer requests on `subject`; at most `concurrency` handlers run at once. Every exception becomes an error at
        the caller, without its text. `stop()` waits for the running handlers."""
        server = RequestServer(
            subject, self._transport, self._gate, self._clock, kind, handler, concurrency=concurrency
        )
        server.subscription = await self._transport.subscribe(subject, queue, server.accept)
        return self._track(server)

    async def publish(self, subject: str, message: Message) -> None:
        """Telemetry: delivered at most once. A message without a connection is dropped and counted; never raises."""
        data = encode(message)
        try:
            await self._transport.publish(subject, data, {SIGNATURE: self._identity.sign(subject, {}, data)})
        except (Unavailable, Invalid):
            self._transport.counts["dropped"] += 1

    async def publish_event(self, subject: str, message: Message) -> None:
        """Write into the stream of events. Raises Unavailable."""
        await events.publish_event(self._transport, self._identity, subject, message)

    async def subscribe(self, subject: str, kind: type[M], handler: OnMessage[M]) -> Subscription:
        """Telemetry: `handler` gets (message, subject), in order. Bad messages are counted and logged once."""
        listener = Listener(subject, self._gate, kind, handler)
        listener.subscription = await self._transport.subscribe(subject, "", listener.accept)
        return self._track(listener)

    async def watch_events(self, handler: events.OnEvent, *, since_seconds: float) -> Subscription:
        """`handler` gets the events (raw, subject) of the last `since_seconds`, then new ones, in order; none twice."""
        since = self._clock.now() - timedelta(seconds=since_seconds)
        return self._track(await events.watch_events(self._transport, self._gate, handler, since=since))

    def bucket(self, name: str, kind: type[M]) -> Bucket[M]:
        return Bucket(self._transport, self._gate, name, kind, self._track)

    async def make_streams(self) -> None:
        await streams.make_streams(self._transport)

    async def drain(self, *, timeout: float = 5.0) -> None:
        """Accept nothing new, wait for running handlers at most `timeout` seconds, close. Never raises."""
        if self._subscriptions:
            stops = [asyncio.create_task(each.stop()) for each in self._subscriptions]
            await asyncio.wait(stops, timeout=timeout)
            for stop in stops:
                stop.cancel()
        self._subscriptions.clear()
        await self._transport.close()

    def _track(self, subscription: Subscription) -> Subscription:
        self._subscriptions.append(subscription)
        return subscription


async def create_streams(bus: Bus) -> None:
    """Make the buckets and the stream of events, or update their settings. Idempotent. Raises Unavailable, Refused."""
    await bus.make_streams()
