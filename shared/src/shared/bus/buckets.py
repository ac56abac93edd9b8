"""A key-value bucket of one kind of message.

A bucket is a stream `KV_<bucket>` whose subjects `$KV.<bucket>.<key>` keep one message each
(https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-8.md). Unknown is not absent: a bucket that
cannot be asked raises.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from shared.contracts.errors import Conflict, NotFound, ServiceError
from shared.contracts.message import BadMessage, Message, decode, encode

from . import jetstream
from .listening import await_result, where_raised
from .ordered_consumer import Gap, OrderedConsumer, StreamMessage
from .repeat_filter import RepeatFilter
from .transport import Subscription, Transport

OPERATION = "KV-Operation"
MARKER = "Nats-Marker-Reason"
EXPECTED = "Nats-Expected-Last-Subject-Sequence"

M = TypeVar("M", bound=Message)
OnChange = Callable[[str, M | None], Awaitable[None] | None]
log = structlog.get_logger()


@dataclass(frozen=True)
class Entry(Generic[M]):
    """`revision` starts again at 1 when NATS has lost its data."""

    value: M
    revision: int


def stream_of(bucket: str) -> str:
    return f"KV_{bucket}"


class Bucket(Generic[M]):
    """Every call raises Unavailable when NATS or the bucket is lost; a write raises TimedOut when it is unknown
    whether it happened."""

    def __init__(
        self,
        transport: Transport,
        name: str,
        kind: type[M],
        track: Callable[[Subscription], Subscription] = lambda watch: watch,
    ) -> None:
        """`track` gets each watch, so that the bus stops the watch when it drains."""
        self._transport = transport
        self._name = name
        self._kind = kind
        self._track = track

    async def get(self, key: str) -> Entry[M] | None:
        """The newest value; None when the key is absent. Not read-after-write. Raises BadMessage."""
        found = await self._find(key)
        if found is None or found[1]:
            return None
        revision, _, data = found
        return Entry(decode(data, self._kind), revision)

    async def put(self, key: str, value: M) -> int:
        """Write without a condition. Returns the new revision."""
        return await self._write(key, encode(value), {})

    async def create(self, key: str, value: M) -> int:
        """Raises Conflict when the key is present."""
        try:
            return await self.update(key, value, 0)
        except Conflict:
            found = await self._find(key)
            if found is None or not found[1]:
                raise
            return await self.update(key, value, found[0])  # the key holds only the marker of a deletion

    async def update(self, key: str, value: M, revision: int) -> int:
        """Write only when `revision` is still the newest. Raises Conflict."""
        return await self._write(key, encode(value), {EXPECTED: str(revision)})

    async def delete(self, key: str) -> None:
        """Deleting an absent key is no error."""
        await self._write(key, b"", {OPERATION: "DEL"})

    async def keys(self) -> list[str]:
        """The present keys, sorted."""
        found: set[str] = set()

        async def collect(message: StreamMessage) -> None:
            if not is_deletion(message.headers):
                found.add(self._key(message))

        consumer = OrderedConsumer(self._transport, stream_of(self._name), self._config(headers_only=True), collect)
        for attempt in range(3):
            try:
                await consumer.read_present()
                break
            except Gap:
                found.clear()
                if attempt == 2:
                    raise
        return sorted(found)

    async def watch(self, on_change: OnChange[M], *, on_ready: Callable[[], None] | None = None) -> Subscription:
        """Watch all keys: first the present values, then `on_ready`, then the changes; None means deleted.

        When a key changes in quick succession, earlier values may be left out, the newest never. After a reconnect, and
        after NATS lost its data, the watch gives the present values again, None for keys that have gone since, and then
        `on_ready` once more.
        """
        watcher = Watcher(self._name, self._kind, on_change, on_ready, self._transport.counts)
        consumer = OrderedConsumer(
            self._transport,
            stream_of(self._name),
            self._config(headers_only=False),
            lambda message: watcher.take(self._key(message), message),
            on_start=watcher.start,
            on_complete=watcher.complete,
        )
        consumer.start()
        return self._track(consumer)

    def _config(self, *, headers_only: bool) -> Callable[[], Awaitable[Mapping[str, Any]]]:
        async def config() -> Mapping[str, Any]:
            return {
                "deliver_policy": "last_per_subject",
                "filter_subject": f"$KV.{self._name}.>",
                "headers_only": headers_only,
            }

        return config

    def _key(self, message: StreamMessage) -> str:
        return message.subject.removeprefix(f"$KV.{self._name}.")

    async def _write(self, key: str, data: bytes, headers: Mapping[str, str]) -> int:
        return await jetstream.publish(self._transport, f"$KV.{self._name}.{key}", data, headers)

    async def _find(self, key: str) -> tuple[int, bool, bytes] | None:
        """Revision, whether it is a deletion, data."""
        body = {"last_by_subj": f"$KV.{self._name}.{key}"}
        try:
            answer = await jetstream.call(self._transport, f"STREAM.MSG.GET.{stream_of(self._name)}", body)
        except NotFound:
            return None
        message = answer["message"]
        head = base64.b64decode(message.get("hdrs", "")).decode(errors="replace")
        deleted = OPERATION in head or MARKER in head
        return int(message["seq"]), deleted, base64.b64decode(message.get("data", ""))


def is_deletion(headers: Mapping[str, str]) -> bool:
    return OPERATION in headers or MARKER in headers


class Watcher(Generic[M]):
    """Turns a stream that may start again into changes, including the deletions that happened in between."""

    def __init__(
        self,
        name: str,
        kind: type[M],
        on_change: OnChange[M],
        on_ready: Callable[[], None] | None,
        counts: Counter[str],
    ) -> None:
        self._name = name
        self._kind = kind
        self._on_change = on_change
        self._on_ready = on_ready
        self._counts = counts
        self._known: set[str] = set()
        self._seen: set[str] | None = None
        self._logged = RepeatFilter()

    def start(self) -> None:
        self._seen = set()

    async def take(self, key: str, message: StreamMessage) -> None:
        if is_deletion(message.headers):
            await self._notify(key, None)
            return
        if self._seen is not None:
            self._seen.add(key)
        try:
            value = decode(message.data, self._kind)
        except BadMessage as error:
            self._count("bad_message", key, str(error))
            return
        await self._notify(key, value)

    async def complete(self) -> None:
        for key in sorted(self._known - (self._seen or set())):
            await self._notify(key, None)
        self._seen = None
        if self._on_ready is not None:
            self._on_ready()

    async def _notify(self, key: str, value: M | None) -> None:
        if value is None:
            self._known.discard(key)
        else:
            self._known.add(key)
        try:
            await await_result(self._on_change(key, value))
        except ServiceError as error:
            self._count("watch_failed", key, error.code)
        except Exception as error:
            self._count("watch_failed", key, f"{type(error).__name__} {where_raised(error)}")

    def _count(self, fault: str, key: str, detail: str) -> None:
        self._counts[fault] += 1
        if self._logged.is_new(fault, key, detail):
            log.error(fault, bucket=self._name, key=key, detail=detail)
