"""A bus in memory: the code of the real bus over a transport without a network. Several buses on one hub act as several
services."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from shared.bus import Bucket, Bus, Subscription
from shared.bus.events import OnEvent
from shared.bus.gate import Gate
from shared.bus.listening import await_result
from shared.bus.streams import BUCKETS
from shared.bus.transport import Incoming, OnMessage
from shared.clock import Clock, SystemClock
from shared.contracts.errors import NotRunning, TimedOut, Unavailable
from shared.contracts.message import SIGNATURE, Message, encode
from shared.contracts.subjects import EVENTS_STREAM, matches

from .identities import every_user
from .memory_bucket import BucketData, MemoryBucket

M = TypeVar("M", bound=Message)


@dataclass
class MemoryHub:
    """Takes the place of nats-server."""

    subscriptions: list[_MemorySubscription] = field(default_factory=list)
    buckets: dict[str, BucketData] = field(default_factory=lambda: {name: BucketData() for name in BUCKETS})
    events: list[tuple[datetime, Incoming]] = field(default_factory=list)
    event_watches: set[asyncio.Queue[Incoming]] = field(default_factory=set)
    deliveries: Counter[tuple[str, str]] = field(default_factory=Counter)

    def deliver(self, incoming: Incoming) -> int:
        """Deliver to every matching subscription, and to one member of each queue group. Returns the number reached."""
        groups: dict[tuple[str, str], list[_MemorySubscription]] = {}
        for number, each in enumerate(self.subscriptions):
            if each.transport.connected and matches(each.subject, incoming.subject):
                groups.setdefault((each.subject, each.queue) if each.queue else ("", str(number)), []).append(each)
        for group, members in groups.items():
            self.deliveries[group] += 1
            members[self.deliveries[group] % len(members)].put(incoming)
        return len(groups)


class MemoryTransport:
    """See `shared.bus.transport.Transport`."""

    def __init__(self, hub: MemoryHub) -> None:
        self.counts: Counter[str] = Counter()
        self.connected = True
        self.hub = hub
        self._inboxes = itertools.count()
        self._on_lost: list[Callable[[], None]] = []
        self._on_back: list[Callable[[], None]] = []

    def on_lost(self, callback: Callable[[], None]) -> None:
        self._on_lost.append(callback)

    def on_back(self, callback: Callable[[], None]) -> None:
        self._on_back.append(callback)

    def new_inbox(self) -> str:
        return f"_INBOX.{id(self)}.{next(self._inboxes)}"

    async def publish(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, reply: str = ""
    ) -> None:
        if not self.connected:
            raise Unavailable("not connected to NATS")
        self.hub.deliver(Incoming(subject, data, dict(headers or {}), reply))

    async def request(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, timeout: float
    ) -> Incoming:
        if not self.connected:
            raise Unavailable("not connected to NATS")
        answer: asyncio.Future[Incoming] = asyncio.get_running_loop().create_future()

        async def take(incoming: Incoming) -> None:
            if not answer.done():
                answer.set_result(incoming)

        inbox = self.new_inbox()
        subscription = await self.subscribe(inbox, "", take)
        try:
            if not self.hub.deliver(Incoming(subject, data, dict(headers or {}), inbox)):
                raise NotRunning("nobody serves this now")
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise TimedOut("no answer in time; whether it happened is unknown") from None
        finally:
            await subscription.stop()

    async def subscribe(self, subject: str, queue: str, on_message: OnMessage) -> _MemorySubscription:
        return _MemorySubscription(self, subject, queue, on_message)

    def lose(self) -> None:
        if self.connected:
            self.connected = False
            self.counts["lost"] += 1
            for callback in self._on_lost:
                callback()

    def come_back(self) -> None:
        if not self.connected:
            self.connected = True
            for callback in self._on_back:
                callback()

    async def close(self) -> None:
        self.connected = False


class _MemorySubscription:
    def __init__(self, transport: MemoryTransport, subject: str, queue: str, on_message: OnMessage) -> None:
        self.transport = transport
        self.subject = subject
        self.queue = queue
        self._on_message = on_message
        self._waiting: asyncio.Queue[Incoming] = asyncio.Queue()
        transport.hub.subscriptions.append(self)
        self._task = asyncio.create_task(self._run())

    def put(self, incoming: Incoming) -> None:
        self._waiting.put_nowait(incoming)

    async def stop(self) -> None:
        if self in self.transport.hub.subscriptions:
            self.transport.hub.subscriptions.remove(self)
            if asyncio.current_task() is not self._task:
                await self._waiting.join()
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            incoming = await self._waiting.get()
            try:
                await self._on_message(incoming)
            finally:
                self._waiting.task_done()


class FakeBus(Bus):
    """`lose()` and `come_back()` are faults of the network; `hub.buckets[name]` has the buckets' own faults."""

    def __init__(self, clock: Clock | None = None, hub: MemoryHub | None = None) -> None:
        self.hub = hub if hub is not None else MemoryHub()
        self._memory = MemoryTransport(self.hub)
        super().__init__(self._memory, clock or SystemClock(), every_user())

    def lose(self) -> None:
        self._memory.lose()

    def come_back(self) -> None:
        """Watches give their present values again, as after a real reconnect."""
        self._memory.come_back()
        for data in self.hub.buckets.values():
            data.restart_watches()

    def bucket(self, name: str, kind: type[M]) -> Bucket[M]:
        data = self.hub.buckets.setdefault(name, BucketData())
        return MemoryBucket(kind, data, name=name, gate=self._gate, reachable=lambda: self.connected, track=self._track)

    async def publish_event(self, subject: str, message: Message) -> None:
        if not self.connected:
            raise Unavailable("not connected to NATS")
        data = encode(message)
        incoming = Incoming(subject, data, {SIGNATURE: self._identity.sign(subject, {}, data)})
        self.hub.events.append((self._clock.now(), incoming))
        for queue in self.hub.event_watches:
            queue.put_nowait(incoming)

    async def watch_events(self, handler: OnEvent, *, since_seconds: float) -> Subscription:
        since = self._clock.now() - timedelta(seconds=since_seconds)
        return self._track(_EventWatch(self.hub, self._gate, handler, since))

    async def make_streams(self) -> None:
        """They exist from the start."""


class _EventWatch:
    def __init__(self, hub: MemoryHub, gate: Gate, handler: OnEvent, since: datetime) -> None:
        self._hub = hub
        self._gate = gate
        self._handler = handler
        self._queue: asyncio.Queue[Incoming] = asyncio.Queue()
        for at, incoming in hub.events:
            if at >= since:
                self._queue.put_nowait(incoming)
        hub.event_watches.add(self._queue)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._hub.event_watches.discard(self._queue)
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            incoming = await self._queue.get()
            if self._gate.believes(incoming.subject, incoming.headers, incoming.data, where=EVENTS_STREAM):
                await await_result(self._handler(incoming.data, incoming.subject))
