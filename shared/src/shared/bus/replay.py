"""Reading a stream in order, for ever: an ordered push consumer that is made again whenever something is missing
(a gap, silence, a new connection, a stream that lost its data).

The trap: a consumer of a stream that was lost goes silent without an error; only the missing heartbeats tell.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from shared.backoff import Backoff
from shared.contracts.errors import Refused, ServiceError

from . import jetstream
from .once import Once
from .serving import where_raised
from .transport import Incoming, Transport

HEARTBEAT_SECONDS = 3.0
SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS
RETRY = Backoff(first=0.1, longest=2.0)

log = structlog.get_logger()


@dataclass(frozen=True)
class Item:
    """`sequence` in the stream; `pending`: how many more were there when this was sent."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    sequence: int
    delivered: int
    pending: int


class Gap(Exception):
    """Something is missing: read again."""


class Replay:
    """`config` gives the consumer's settings anew for each start (it may ask the server). `on_start` is called before
    the first item of each start, `on_complete` when all that was there has been given."""

    def __init__(
        self,
        transport: Transport,
        stream: str,
        config: Callable[[], Awaitable[Mapping[str, Any]]],
        on_item: Callable[[Item], Awaitable[None]],
        *,
        on_start: Callable[[], None] = lambda: None,
        on_complete: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._transport = transport
        self._stream = stream
        self._config = config
        self._on_item = on_item
        self._on_start = on_start
        self._on_complete = on_complete
        self._queue: asyncio.Queue[Incoming | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._once = Once()

    def start(self) -> None:
        self._transport.on_back(self._again)
        self._task = asyncio.create_task(self._run(), name=f"replay-{self._stream}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def read_present(self) -> None:
        """One pass over what is there now, without following. Raises ServiceError, Gap."""
        await self._pass(follow=False)

    def _again(self) -> None:
        self._queue.put_nowait(None)
        self._wake.set()

    async def _run(self) -> None:
        attempt = 1
        while True:
            self._wake.clear()
            try:
                await self._pass(follow=True)
            except Gap as gap:
                attempt = 1
                log.debug("replay_again", stream=self._stream, why=str(gap))
            except Exception as error:
                self._report(error)
                attempt += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), RETRY.delay(attempt))

    def _report(self, error: Exception) -> None:
        what = error.code if isinstance(error, ServiceError) else type(error).__name__
        if self._once(what):
            level = log.error if isinstance(error, Refused) or not isinstance(error, ServiceError) else log.warning
            level("replay_waits", stream=self._stream, error=what, where=where_raised(error))

    async def _pass(self, *, follow: bool) -> None:
        queue = self._queue = asyncio.Queue()
        inbox = self._transport.new_inbox()

        async def take(incoming: Incoming) -> None:
            queue.put_nowait(incoming)

        subscription = await self._transport.subscribe(inbox, "", take)
        try:
            name, pending = await self._create(inbox)
            try:
                self._on_start()
                await self._read(queue, pending, follow=follow)
            finally:
                await self._delete(name)
        finally:
            await subscription.stop()

    async def _read(self, queue: asyncio.Queue[Incoming | None], pending: int, *, follow: bool) -> None:
        self._once.forget()
        complete = pending == 0
        if complete and self._on_complete is not None:
            await self._on_complete()
        delivered = 0
        while follow or not complete:
            incoming = await _next(queue)
            if "Status" in incoming.headers:
                await self._control(incoming, delivered)
                continue
            item = read_item(incoming)
            if item.delivered != delivered + 1:
                raise Gap("a message is missing")
            delivered = item.delivered
            await self._on_item(item)
            if not complete and item.pending == 0:
                complete = True
                if self._on_complete is not None:
                    await self._on_complete()

    async def _control(self, incoming: Incoming, delivered: int) -> None:
        if incoming.reply:
            await self._transport.publish(incoming.reply, b"")
        if stalled := incoming.headers.get("Nats-Consumer-Stalled"):
            await self._transport.publish(stalled, b"")
        if int(incoming.headers.get("Nats-Last-Consumer") or delivered) != delivered:
            raise Gap("the heartbeat knows more messages")

    async def _create(self, inbox: str) -> tuple[str, int]:
        config = {
            "deliver_subject": inbox,
            "ack_policy": "none",
            "max_deliver": 1,
            "replay_policy": "instant",
            "flow_control": True,
            "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9),
            "inactive_threshold": int(30 * 1e9),
            "mem_storage": True,
            "num_replicas": 1,
            **await self._config(),
        }
        body = {"stream_name": self._stream, "config": config}
        info = await jetstream.call(self._transport, f"CONSUMER.CREATE.{self._stream}", body)
        # A fast server has sent messages already when the answer is written: they count as pending too.
        return str(info["name"]), int(info["num_pending"]) + int(info["delivered"]["consumer_seq"])

    async def _delete(self, name: str) -> None:
        if not self._transport.connected:
            return  # the server removes it by itself
        with contextlib.suppress(ServiceError):
            await jetstream.call(self._transport, f"CONSUMER.DELETE.{self._stream}.{name}", {}, timeout=1.0)


async def _next(queue: asyncio.Queue[Incoming | None]) -> Incoming:
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            incoming = await queue.get()
    except TimeoutError:
        raise Gap("no heartbeat") from None
    if incoming is None:
        raise Gap("a new connection")
    return incoming


def read_item(incoming: Incoming) -> Item:
    """The stream's figures travel in the reply subject; newer servers put the domain and the account in front."""
    tokens = incoming.reply.split(".")
    tokens = tokens[2:] if len(tokens) == 9 else tokens[4:]
    if len(tokens) < 7:
        raise Gap("a message without its figures")
    return Item(
        subject=incoming.subject,
        data=incoming.data,
        headers=incoming.headers,
        sequence=int(tokens[3]),
        delivered=int(tokens[4]),
        pending=int(tokens[6]),
    )
