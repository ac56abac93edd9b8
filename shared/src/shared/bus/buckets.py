"""A key-value bucket of one kind of message. Unknown is not absent: what cannot be asked raises."""

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
from .once import Once
from .replay import Gap, Item, Replay
from .serving import settle, where_raised
from .transport import Served, Transport

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
        self, transport: Transport, name: str, kind: type[M], keep: Callable[[Served], Served] = lambda served: served
    ) -> None:
        """`keep` is told each watch, so that somebody stops it in the end."""
        self._transport = transport
        self._name = name
        self._kind = kind
        self._keep = keep

    async def get(self, key: str) -> Entry[M] | None:
        """The newest value; None when the key is absent. Not read-after-write. Raises BadMessage."""
        found = await self._find(key)
        if found is None or found[1]:
            return None
        revision, _, data = found
        return Entry(decode(data, self._kind), revision)

    async def put(self, key: str, value: M) -> int:
        """Write whatever is there; the new revision."""
        return await self._store(key, encode(value), {})

    async def create(self, key: str, value: M) -> int:
        """Raises Conflict when the key is present."""
        try:
            return await self.update(key, value, 0)
        except Conflict:
            found = await self._find(key)
            if found is None or not found[1]:
                raise
            return await self.update(key, value, found[0])  # only the mark of a deletion is there

    async def update(self, key: str, value: M, revision: int) -> int:
        """Write only when `revision` is still the newest. Raises Conflict."""
        return await self._store(key, encode(value), {EXPECTED: str(revision)})

    async def delete(self, key: str) -> None:
        """Deleting an absent key is no error."""
        await self._store(key, b"", {OPERATION: "DEL"})

    async def keys(self) -> list[str]:
        """The present keys, sorted."""
        found: set[str] = set()

        async def take(item: Item) -> None:
            if not is_deletion(item.headers):
                found.add(self._key(item))

        replay = Replay(self._transport, stream_of(self._name), self._config(headers_only=True), take)
        for attempt in range(3):
            try:
                await replay.read_present()
                break
            except Gap:
                found.clear()
                if attempt == 2:
                    raise
        return sorted(found)

    async def watch(self, on_change: OnChange[M], *, on_ready: Callable[[], None] | None = None) -> Served:
        """All keys: the present values first, then `on_ready`, then changes; None is a deletion.

        Of changes of one key in quick succession some may be left out, the newest never: a bucket keeps no others.
        After a reconnect, and after NATS lost its data, the present values are given again, keys that have gone
        meanwhile as None, and then `on_ready` once more.
        """
        watcher = Watcher(self._name, self._kind, on_change, on_ready, self._transport.counts)
        replay = Replay(
            self._transport,
            stream_of(self._name),
            self._config(headers_only=False),
            lambda item: watcher.take(self._key(item), item),
            on_start=watcher.start,
            on_complete=watcher.complete,
        )
        replay.start()
        return self._keep(replay)

    def _config(self, *, headers_only: bool) -> Callable[[], Awaitable[Mapping[str, Any]]]:
        async def config() -> Mapping[str, Any]:
            return {
                "deliver_policy": "last_per_subject",
                "filter_subject": f"$KV.{self._name}.>",
                "headers_only": headers_only,
            }

        return config

    def _key(self, item: Item) -> str:
        return item.subject.removeprefix(f"$KV.{self._name}.")

    async def _store(self, key: str, data: bytes, headers: Mapping[str, str]) -> int:
        return await jetstream.store(self._transport, f"$KV.{self._name}.{key}", data, headers)

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
    """Turns a stream that may start again into changes, deletions during the pause included."""

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
        self._once = Once()

    def start(self) -> None:
        self._seen = set()

    async def take(self, key: str, item: Item) -> None:
        if is_deletion(item.headers):
            await self._tell(key, None)
            return
        if self._seen is not None:
            self._seen.add(key)
        try:
            value = decode(item.data, self._kind)
        except BadMessage as error:
            self._note("bad_message", key, str(error))
            return
        await self._tell(key, value)

    async def complete(self) -> None:
        for key in sorted(self._known - (self._seen or set())):
            await self._tell(key, None)
        self._seen = None
        if self._on_ready is not None:
            self._on_ready()

    async def _tell(self, key: str, value: M | None) -> None:
        if value is None:
            self._known.discard(key)
        else:
            self._known.add(key)
        try:
            await settle(self._on_change(key, value))
        except ServiceError as error:
            self._note("watch_failed", key, error.code)
        except Exception as error:
            self._note("watch_failed", key, f"{type(error).__name__} {where_raised(error)}")

    def _note(self, fault: str, key: str, detail: str) -> None:
        self._counts[fault] += 1
        if self._once(fault, key, detail):
            log.error(fault, bucket=self._name, key=key, detail=detail)
