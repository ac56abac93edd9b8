"""One connection to NATS that reconnects without ever replaying old work.

`Connection` keeps one nats-py client at a time and makes a fresh one after each loss, with nats-py's own reconnecting
switched off. nats-py would send what waited in its buffer during the outage, so that a command from before the outage
would be executed late; it hangs when a stuck server has left its socket's buffer full; and it gives up for ever when a
callback raises or the server closes with an error. A client is therefore never repaired. As soon as one ping stays
unanswered or a flush fails, the client is abandoned: subscriptions are attached to the next client, requests that wait
get their timeout, and publishing fails at once while there is no client.

The trap: nats-py swallows cancellations, so nothing here waits for a task only because the task was cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as ClientSubscription
from nats.aio.transport import TcpTransport

from shared.backoff import Backoff
from shared.contracts.errors import Invalid, NotRunning, Refused, TimedOut, Unavailable

from .credentials import public_key
from .options import BusOptions
from .repeat_filter import RepeatFilter
from .transport import Incoming, OnMessage, Subscription

CONNECT_SECONDS = 2
PING_SECONDS = 3.0
PONG_SECONDS = 4.0
RETRY = Backoff(first=0.1, longest=2.0)
"""With little jitter (0.8 to 1.0 of the delay): an owner that comes back much later than a rival loses its lease."""
MAX_REFUSALS = 3
"""Wrong credentials do not become right by asking again."""
CLOSE_SECONDS = 1.0
MAX_CANCELLATIONS = 5
STOP_SECONDS = 5.0

log = structlog.get_logger()


@dataclass(frozen=True)
class _PendingRequest:
    subject: str
    answer: asyncio.Future[Incoming]


class Connection:
    """See `transport.Transport`."""

    def __init__(self, options: BusOptions) -> None:
        self.counts: Counter[str] = Counter()
        self._options = options
        self._client: Client | None = None
        self._lost = asyncio.Event()
        self._subscriptions: set[_LastingSubscription] = set()
        self._forbidden: set[str] = set()
        self._pending: dict[str, _PendingRequest] = {}
        self._inbox = self.new_inbox()
        self._on_lost: list[Callable[[], None]] = []
        self._on_back: list[Callable[[], None]] = []
        self._logged = RepeatFilter()
        self._reconnecting: asyncio.Task[None] | None = None
        self._first_connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._refusals = 0
        self._closing = False

    async def open(self, wait_seconds: float | None) -> None:
        """Raises Unavailable when NATS cannot be reached in time or refuses the credentials."""
        if self._options.nkey_seed:
            _check_seed(self._options.nkey_seed)
        self._subscriptions.add(_LastingSubscription(self, f"{self._inbox}.*", "", self._on_answer))
        self._reconnecting = asyncio.create_task(self._stay_connected(), name="bus-connection")
        try:
            async with asyncio.timeout(wait_seconds):
                await asyncio.shield(self._first_connected)
        except TimeoutError:
            await self.close()
            raise Unavailable("NATS cannot be reached", hint="is nats-server running where NATS_URL says?") from None
        except BaseException:
            await self.close()
            raise

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    def on_lost(self, callback: Callable[[], None]) -> None:
        self._on_lost.append(callback)

    def on_back(self, callback: Callable[[], None]) -> None:
        self._on_back.append(callback)

    def new_inbox(self) -> str:
        return f"{self._options.inbox}.{secrets.token_hex(11)}"

    async def publish(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, reply: str = ""
    ) -> None:
        client = self._client
        if client is None:
            raise Unavailable("not connected to NATS")
        try:
            await client.publish(subject, data, reply=reply, headers=dict(headers) if headers else None)
        except nats.errors.MaxPayloadError:
            raise Invalid(f"a message of {len(data)} bytes is too large for the bus", code="too_large") from None
        except nats.errors.BadSubjectError:
            raise Invalid("a subject has empty or forbidden parts", code="bad_subject") from None
        except (nats.errors.Error, OSError):
            raise Unavailable("not connected to NATS") from None

    async def request(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, timeout: float
    ) -> Incoming:
        token = secrets.token_hex(8)
        answer: asyncio.Future[Incoming] = asyncio.get_running_loop().create_future()
        self._pending[token] = _PendingRequest(subject, answer)
        try:
            await self.publish(subject, data, headers, reply=f"{self._inbox}.{token}")
            async with asyncio.timeout(timeout):
                incoming = await answer
        except TimeoutError:
            raise TimedOut("no answer in time; whether it happened is unknown") from None
        finally:
            del self._pending[token]
        if incoming.headers.get("Status") == "503":
            raise NotRunning("nobody serves this now")
        return incoming

    async def subscribe(self, subject: str, queue: str, on_message: OnMessage) -> Subscription:
        subscription = _LastingSubscription(self, subject, queue, on_message)
        self._subscriptions.add(subscription)
        client = self._client
        if client is not None:
            try:
                await subscription.attach(client)
                await _flush(client)
            except (nats.errors.Error, OSError, TimeoutError):
                self.abandon_client()  # the next client gets the subscription
        if subject.lower() in self._forbidden:
            await subscription.stop()
            raise Refused("the server does not permit this subscription", code="not_permitted")
        return subscription

    def abandon_client(self) -> None:
        """Give the present client up. After a ping that was not answered in time nats-py's reader dies of the late
        answer, and reports nothing."""
        self._lost.set()

    def is_usable(self, client: Client) -> bool:
        return client.is_connected and not self._lost.is_set()

    async def close(self) -> None:
        """Idempotent; never raises."""
        self._closing = True
        if self._reconnecting is not None:
            await _cancel_until_ended(self._reconnecting)
        if not self._first_connected.done():
            self._first_connected.cancel()
        for subscription in list(self._subscriptions):
            await subscription.stop()
        client, self._client = self._client, None
        if client is None:
            return
        if self.is_usable(client):
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                await _flush(client)
        await _close(client)

    def forget(self, subscription: _LastingSubscription) -> None:
        self._subscriptions.discard(subscription)

    async def _stay_connected(self) -> None:
        attempt = 0
        while not self._closing:
            try:
                client = await self._connect()
            except Exception as error:
                if self._gives_up(error):
                    return
                attempt += 1
                await asyncio.sleep(RETRY.delay(attempt, random.uniform(0.6, 1.0)))  # noqa: S311
                continue
            attempt = 0
            self._announce_connected(client)
            await self._until_lost(client)
            self._announce_lost()
            await _close(client)

    async def _connect(self) -> Client:
        self._lost = asyncio.Event()
        self._forbidden.clear()
        client = Client()
        try:
            async with asyncio.timeout(CONNECT_SECONDS * 4):
                await self._dial(client, self._lost)
                for subscription in list(self._subscriptions):
                    await subscription.attach(client)
                await _flush(client)
        except BaseException:
            await _close(client)
            raise
        return client

    async def _dial(self, client: Client, lost: asyncio.Event) -> None:
        async def closed() -> None:
            lost.set()

        await client.connect(
            servers=[self._options.url],
            name=self._options.name,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.05,  # type: ignore[arg-type]
            connect_timeout=CONNECT_SECONDS,
            ping_interval=5,
            max_outstanding_pings=2,
            pending_size=0,
            inbox_prefix=self._options.inbox,
            nkeys_seed_str=self._options.nkey_seed or None,
            error_cb=self._on_error,
            closed_cb=closed,
        )

    def _gives_up(self, error: Exception) -> bool:
        refused = "authorization" in str(error).lower()
        if self._logged.is_new("connect", type(error).__name__):
            log.warning("bus_unreachable", error=type(error).__name__, refused=refused)
        if not refused:
            return False
        self.counts["refused"] += 1
        self._refusals += 1
        if self._first_connected.done() or self._refusals < MAX_REFUSALS:
            return False
        self._first_connected.set_exception(
            Unavailable("NATS refuses the credentials", hint="check NATS_NKEY_SEED", code="credentials_refused")
        )
        return True

    async def _until_lost(self, client: Client) -> None:
        while client.is_connected and not self._closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), PING_SECONDS)
            if self._lost.is_set():
                return
            try:
                await client.rtt(timeout=PONG_SECONDS)  # type: ignore[arg-type]
            except (nats.errors.Error, OSError, TimeoutError, asyncio.InvalidStateError):
                return

    def _announce_connected(self, client: Client) -> None:
        self._client = client
        self._refusals = 0
        if not self._first_connected.done():
            self._first_connected.set_result(None)
            return
        log.info("bus_back")
        _call_all(self._on_back)

    def _announce_lost(self) -> None:
        self._client = None
        self.counts["lost"] += 1
        self._logged.clear()
        log.warning("bus_lost")
        _call_all(self._on_lost)

    async def _on_answer(self, incoming: Incoming) -> None:
        pending = self._pending.get(incoming.subject.removeprefix(f"{self._inbox}."))
        if pending is not None and not pending.answer.done():
            pending.answer.set_result(incoming)

    async def _on_error(self, error: Exception) -> None:
        """nats-py's error callback: the only place where slow consumers and permission faults show."""
        text = str(error)
        if isinstance(error, nats.errors.SlowConsumerError):
            self._count("slow_consumer", error.subject)
        elif "permissions violation" in text.lower():
            self._refuse(text)
        elif not isinstance(error, OSError | nats.errors.UnexpectedEOF | TimeoutError):
            self._count("other", type(error).__name__)

    def _refuse(self, violation: str) -> None:
        """Fail the requests, or note the subscription, that a permissions violation names."""
        violation = violation.lower()  # nats-py lowers the case of some errors
        subject = violation.split('"')[1] if '"' in violation else ""
        self._count("permission", subject)
        if "subscription" in violation:
            self._forbidden.add(subject)
            return
        for pending in self._pending.values():
            if pending.subject.lower() == subject and not pending.answer.done():
                pending.answer.set_exception(Refused("the server does not permit this", code="not_permitted"))

    def _count(self, fault: str, about: str) -> None:
        self.counts[fault] += 1
        if self._logged.is_new(fault, about):
            log.error("bus_fault", fault=fault, about=about)


class _LastingSubscription:
    """A subscription that each new client gets again."""

    def __init__(self, connection: Connection, subject: str, queue: str, on_message: OnMessage) -> None:
        self._connection = connection
        self._subject = subject
        self._queue = queue
        self._on_message = on_message
        self._attached: ClientSubscription | None = None
        self._client: Client | None = None

    async def attach(self, client: Client) -> None:
        if client is self._client:
            return
        self._client = client
        self._attached = await client.subscribe(self._subject, queue=self._queue, cb=self._receive)

    async def _receive(self, message: Msg) -> None:
        await self._on_message(Incoming(message.subject, message.data, dict(message.headers or {}), message.reply))

    async def stop(self) -> None:
        """Drain instead of unsubscribing: messages that the server has sent already are still worked on."""
        self._connection.forget(self)
        attached, self._attached = self._attached, None
        if attached is None or self._client is None or not self._connection.is_usable(self._client):
            return
        try:
            # `drain` unsubscribes too, but its flush may overtake the UNSUB.
            await self._client._send_unsubscribe(attached._id)
            await _flush(self._client)
            await asyncio.wait_for(attached.drain(), STOP_SECONDS)  # type: ignore[no-untyped-call]
        except (nats.errors.Error, OSError, TimeoutError):
            self._connection.abandon_client()


def _check_seed(seed: str) -> None:
    try:
        public_key(seed)
    except ValueError:
        raise Unavailable(
            "the credentials for NATS are no nkey seed", hint="check NATS_NKEY_SEED", code="credentials_refused"
        ) from None


async def _cancel_until_ended(task: asyncio.Task[None]) -> None:
    """Cancel again and again, because nats-py may swallow a cancellation."""
    for _ in range(MAX_CANCELLATIONS):
        task.cancel()
        _, still_running = await asyncio.wait({task}, timeout=CLOSE_SECONDS)
        if not still_running:
            return
    log.error("bus_task_will_not_end")


async def _flush(client: Client) -> None:
    """Wait until the server has taken everything that was written so far. nats-py's flush alone lets its PING overtake
    commands that still wait in the client: a message to a subscription that was "flushed" got lost."""
    async with asyncio.timeout(CONNECT_SECONDS):
        while client.pending_data_size and client.is_connected:  # noqa: ASYNC110  (nats-py has no event for it)
            await asyncio.sleep(0)
        await client.flush(timeout=CONNECT_SECONDS)


async def _close(client: Client) -> None:
    """End a client even when its socket's buffer is full and nobody reads from the socket."""
    wire = client._transport
    try:
        await asyncio.wait_for(client.close(), CLOSE_SECONDS)
    except Exception as error:
        log.debug("bus_close", error=type(error).__name__)
    if isinstance(wire, TcpTransport) and wire._io_writer is not None:
        wire._io_writer.transport.abort()


def _call_all(callbacks: list[Callable[[], None]]) -> None:
    for callback in callbacks:
        try:
            callback()
        except Exception as error:
            log.error("bus_callback_failed", error=type(error).__name__)
