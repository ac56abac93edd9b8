"""A key-value bucket of one kind of message.

A bucket is a stream `KV_<bucket>` whose subjects `$KV.<bucket>.<key>` keep one message each
(https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-8.md). Unknown is not absent: a bucket that
cannot be asked raises, and so does a value that its writer has not signed: it is neither believed nor taken for a
deletion.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from shared.contracts.errors import Conflict, NotFound, ServiceError
from shared.contracts.message import SIGNATURE, BadMessage, Message, Unverified, decode, encode
from shared.contracts.subjects import key_of_bucket

from . import jetstream
from .gate import Gate
from .listening import await_result, where_raised
from .ordered_consumer import Gap, OrderedConsumer, StreamMessage
from .repeat_filter import RepeatFilter
from .transport import Subscription, Transport

OPERATION = "KV-Operation"
MARKER = "Nats-Marker-Reason"
EXPECTED = "Nats-Expected-Last-Subject-Sequence"

M = TypeVar("M", bound=Message)
OnChange = Callable[[str, M | None], Awaitable[None] | None]
OnUnverified = Callable[[str, int], Awaitable[None] | None]
log = structlog.get_logger()


@dataclass(frozen=True)
class Entry(Generic[M]):
    """`revision` starts again at 1 when NATS has lost its data."""

    value: M
    revision: int


class UnverifiedValue(Unverified):
    """The key holds something that its writer has not signed; only a writer of the bucket may write over `revision`."""

    def __init__(self, revision: int, text: str) -> None:
        super().__init__(text)
        self.revision = revision


@dataclass(frozen=True)
class Stored:
    """What a key holds."""

    revision: int
    headers: Mapping[str, str]
    data: bytes


def stream_of(bucket: str) -> str:
    return f"KV_{bucket}"


class Bucket(Generic[M]):
    """Every call raises Unavailable when NATS or the bucket is lost; a write raises TimedOut when it is unknown
    whether it happened."""

    def __init__(
        self,
        transport: Transport,
        gate: Gate,
        name: str,
        kind: type[M],
        track: Callable[[Subscription], Subscription] = lambda watch: watch,
    ) -> None:
        """`track` gets each watch, so that the bus stops the watch when it drains."""
        self._transport = transport
        self._gate = gate
        self._name = name
        self._kind = kind
        self._track = track

    async def get(self, key: str) -> Entry[M] | None:
        """The newest value; None when the key is absent. Not read-after-write. Raises BadMessage, UnverifiedValue."""
        found = await self._verified(key)
        if found is None or is_deletion(found.headers):
            return None
        return Entry(decode(found.data, self._kind), found.revision)

    async def put(self, key: str, value: M) -> int:
        """Write without a condition. Returns the new revision."""
        return await self._write(key, encode(value), {})

    async def create(self, key: str, value: M) -> int:
        """Raises Conflict when the key is present, UnverifiedValue."""
        try:
            return await self.update(key, value, 0)
        except Conflict:
            found = await self._verified(key)
            if found is None or not is_deletion(found.headers):
                raise
            return await self.update(key, value, found.revision)  # the key holds only the marker of a deletion

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
            if watcher.believes(message) and not is_deletion(message.headers):
                found.add(self._key(message.subject))

        watcher = Watcher(self._gate, self._name, self._kind, lambda _key, _value: None)
        consumer = OrderedConsumer(self._transport, stream_of(self._name), self._config, collect)
        for attempt in range(3):
            try:
                await consumer.read_present()
                break
            except Gap:
                found.clear()
                if attempt == 2:
                    raise
        return sorted(found)

    async def watch(
        self,
        on_change: OnChange[M],
        *,
        on_ready: Callable[[], None] | None = None,
        on_unverified: OnUnverified | None = None,
    ) -> Subscription:
        """Watch all keys: first the present values, then `on_ready`, then the changes; None means deleted.

        When a key changes in quick succession, earlier values may be left out, the newest never. After a reconnect, and
        after NATS lost its data, the watch gives the present values again, None for keys that have gone since, and then
        `on_ready` once more. A value that its writer has not signed changes nothing: `on_unverified` gets its key and
        revision, so that the writer can write over it.
        """
        watcher = Watcher(self._gate, self._name, self._kind, on_change, on_ready, on_unverified)
        consumer = OrderedConsumer(
            self._transport,
            stream_of(self._name),
            self._config,
            lambda message: watcher.take(self._key(message.subject), message),
            on_start=watcher.start,
            on_complete=watcher.complete,
        )
        consumer.start()
        return self._track(consumer)

    async def _config(self) -> Mapping[str, Any]:
        return {"deliver_policy": "last_per_subject", "filter_subject": key_of_bucket(self._name, ">")}

    def _key(self, subject: str) -> str:
        return subject.removeprefix(key_of_bucket(self._name, ""))

    async def _write(self, key: str, data: bytes, headers: Mapping[str, str]) -> int:
        subject = key_of_bucket(self._name, key)
        signature = self._gate.identity.sign(subject, headers, data)
        return await self._store(subject, data, {**headers, SIGNATURE: signature})

    async def _verified(self, key: str) -> Stored | None:
        """What the key holds. Raises UnverifiedValue."""
        subject = key_of_bucket(self._name, key)
        found = await self._find(subject)
        if found is not None and not self._gate.believes(subject, found.headers, found.data, where=self._name):
            raise UnverifiedValue(found.revision, f"a key of {self._name} is not signed by its writer")
        return found

    async def _store(self, subject: str, data: bytes, headers: Mapping[str, str]) -> int:
        return await jetstream.publish(self._transport, subject, data, headers)

    async def _find(self, subject: str) -> Stored | None:
        try:
            answer = await jetstream.call(
                self._transport, f"STREAM.MSG.GET.{stream_of(self._name)}", {"last_by_subj": subject}
            )
        except NotFound:
            return None
        message = answer["message"]
        headers = read_headers(base64.b64decode(message.get("hdrs", "")))
        return Stored(int(message["seq"]), headers, base64.b64decode(message.get("data", "")))


def read_headers(block: bytes) -> dict[str, str]:
    """A block of headers as NATS writes it: a line with the version, then `name: value` lines."""
    lines = block.decode(errors="replace").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def is_deletion(headers: Mapping[str, str]) -> bool:
    return OPERATION in headers or MARKER in headers


class Watcher(Generic[M]):
    """Turns a stream that may start again into changes, including the deletions that happened in between."""

    def __init__(
        self,
        gate: Gate,
        name: str,
        kind: type[M],
        on_change: OnChange[M],
        on_ready: Callable[[], None] | None = None,
        on_unverified: OnUnverified | None = None,
    ) -> None:
        self._gate = gate
        self._name = name
        self._kind = kind
        self._on_change = on_change
        self._on_ready = on_ready
        self._on_unverified = on_unverified
        self._known: set[str] = set()
        self._seen: set[str] | None = None
        self._logged = RepeatFilter()

    def start(self) -> None:
        self._seen = set()

    def believes(self, message: StreamMessage) -> bool:
        return self._gate.believes(message.subject, message.headers, message.data, where=self._name)

    async def take(self, key: str, message: StreamMessage) -> None:
        """A value that cannot be verified leaves the key as it was known: neither changed nor deleted."""
        verified = self.believes(message)
        if verified and is_deletion(message.headers):
            await self._notify(key, None)
            return
        if self._seen is not None:
            self._seen.add(key)
        if not verified:
            if (report := self._on_unverified) is not None:
                await self._call(key, lambda: report(key, message.sequence))
            return
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
        await self._call(key, lambda: self._on_change(key, value))

    async def _call(self, key: str, callback: Callable[[], Awaitable[None] | None]) -> None:
        try:
            await await_result(callback())
        except ServiceError as error:
            self._count("watch_failed", key, error.code)
        except Exception as error:
            self._count("watch_failed", key, f"{type(error).__name__} {where_raised(error)}")

    def _count(self, fault: str, key: str, detail: str) -> None:
        self._gate.counts[fault] += 1
        if self._logged.is_new(fault, key, detail):
            log.error(fault, bucket=self._name, key=key, detail=detail)
