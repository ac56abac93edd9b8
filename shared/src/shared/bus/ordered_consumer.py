"""A stream of JetStream, read in order and without an end.

`OrderedConsumer` makes an ephemeral push consumer without acknowledgements, and makes a new one whenever it cannot be
sure that it has seen everything (https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-17.md).
Four signs raise `Gap`: a message whose number is not the next one; a heartbeat that knows more messages than arrived;
no heartbeat for three intervals; and a new connection to NATS. The caller decides where the next consumer begins
(`config`), and learns when it has begun (`on_start`) and when everything that was present has been given
(`on_complete`): a bucket's watch begins with the newest value of each key, the events go on after the last sequence.

The trap: a consumer of a stream that was lost goes silent without an error; only the missing heartbeats show it.
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
from .listening import where_raised
from .repeat_filter import RepeatFilter
from .transport import Incoming, Transport

HEARTBEAT_SECONDS = 3.0
SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS
RETRY = Backoff(first=0.1, longest=2.0)

log = structlog.get_logger()


@dataclass(frozen=True)
class StreamMessage:
    """`sequence`: the number in the stream. `delivered`: the number in this consumer. `pending`: how many more messages
    were present when the server sent this one. `stream`, `consumer`: whose delivery it is."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    sequence: int
    delivered: int
    pending: int
    stream: str = ""
    consumer: str = ""


class Gap(Exception):
    """Something is missing; a new consumer must read again."""


class OrderedConsumer:
    """`config` returns the consumer's settings anew for each start, and may ask the server for them."""

    def __init__(
        self,
        transport: Transport,
        stream: str,
        config: Callable[[], Awaitable[Mapping[str, Any]]],
        on_message: Callable[[StreamMessage], Awaitable[None]],
        *,
        on_start: Callable[[], None] = lambda: None,
        on_complete: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._transport = transport
        self._stream = stream
        self._config = config
        self._on_message = on_message
        self._on_start = on_start
        self._on_complete = on_complete
        self._queue: asyncio.Queue[Incoming | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._restart = asyncio.Event()
        self._logged = RepeatFilter()

    def start(self) -> None:
        self._transport.on_back(self._begin_again)
        self._task = asyncio.create_task(self._run(), name=f"consumer-{self._stream}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def read_present(self) -> None:
        """Read once what is present now. Raises ServiceError, Gap."""
        await self._consume(follow=False)

    def _begin_again(self) -> None:
        self._queue.put_nowait(None)
        self._restart.set()

    async def _run(self) -> None:
        attempt = 1
        while True:
            self._restart.clear()
            try:
                await self._consume(follow=True)
            except Gap as gap:
                attempt = 1
                log.debug("stream_read_again", stream=self._stream, why=str(gap))
            except Exception as error:
                self._report(error)
                attempt += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._restart.wait(), RETRY.delay(attempt))

    def _report(self, error: Exception) -> None:
        what = error.code if isinstance(error, ServiceError) else type(error).__name__
        if self._logged.is_new(what):
            level = log.error if isinstance(error, Refused) or not isinstance(error, ServiceError) else log.warning
            level("stream_not_readable", stream=self._stream, error=what, where=where_raised(error))

    async def _consume(self, *, follow: bool) -> None:
        """One consumer's life: until everything present has been read, or with `follow` until Gap or ServiceError."""
        queue = self._queue = asyncio.Queue()
        inbox = self._transport.new_inbox()

        async def enqueue(incoming: Incoming) -> None:
            queue.put_nowait(incoming)

        subscription = await self._transport.subscribe(inbox, "", enqueue)
        try:
            name, pending = await self._create(inbox)
            try:
                self._on_start()
                await self._read(queue, inbox, name, pending, follow=follow)
            finally:
                await self._delete(name)
        finally:
            await subscription.stop()

    async def _read(
        self, queue: asyncio.Queue[Incoming | None], inbox: str, name: str, pending: int, *, follow: bool
    ) -> None:
        self._logged.clear()
        complete = pending == 0
        if complete and self._on_complete is not None:
            await self._on_complete()
        delivered = 0
        while follow or not complete:
            incoming = await _next(queue)
            if incoming.subject == inbox:  # a header alone would let any writer of the stream stop its readers
                await self._answer_control(incoming, delivered)
                continue
            message = read_stream_message(incoming)
            if (message.stream, message.consumer) != (self._stream, name):
                self._transport.counts["misaddressed"] += 1
                continue
            if message.delivered != delivered + 1:
                raise Gap("a message is missing")
            delivered = message.delivered
            await self._on_message(message)
            if not complete and message.pending == 0:
                complete = True
                if self._on_complete is not None:
                    await self._on_complete()

    async def _answer_control(self, incoming: Incoming, delivered: int) -> None:
        """Answer flow control and check a heartbeat. Raises Gap."""
        for subject in (incoming.reply, incoming.headers.get("Nats-Consumer-Stalled", "")):
            if subject.startswith(f"$JS.FC.{self._stream}."):
                await self._transport.publish(subject, b"")
        if int(incoming.headers.get("Nats-Last-Consumer") or delivered) != delivered:
            raise Gap("the heartbeat knows more messages")

    async def _create(self, inbox: str) -> tuple[str, int]:
        """The consumer's name, and how many messages are present."""
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
        # A fast server has sent messages already when it writes the answer; those count as present too.
        return str(info["name"]), int(info["num_pending"]) + int(info["delivered"]["consumer_seq"])

    async def _delete(self, name: str) -> None:
        if not self._transport.connected:
            return  # the server removes an inactive consumer
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


def read_stream_message(incoming: Incoming) -> StreamMessage:
    """The figures travel in the reply subject, behind the domain and the account on newer servers
    (https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-15.md). Raises Gap."""
    tokens = incoming.reply.split(".")
    tokens = tokens[2:] if len(tokens) == 9 else tokens[4:]
    if len(tokens) < 7:
        raise Gap("a message without its figures")
    return StreamMessage(
        subject=incoming.subject,
        data=incoming.data,
        headers=incoming.headers,
        sequence=int(tokens[3]),
        delivered=int(tokens[4]),
        pending=int(tokens[6]),
        stream=tokens[0],
        consumer=tokens[1],
    )
