"""One connection to NATS that comes back by itself.

Reconnecting is done here with a fresh client each time and not by nats-py: its own way sends what waited in its buffer
after the outage (an old command would be executed late), hangs when a stuck server left its socket's buffer full, and
ends for ever when a callback raises or the server closes with an error. The other trap: nats-py swallows cancellations,
so nothing here waits for a task only because it was cancelled.
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
from nats.aio.subscription import Subscription as NatsSubscription

from shared.backoff import Backoff
from shared.contracts.errors import Invalid, NotRunning, Refused, TimedOut, Unavailable

from .credentials import public_key
from .once import Once
from .options import BusOptions
from .transport import Incoming, OnMessage, Served

CONNECT_SECONDS = 2
PING_SECONDS = 3.0
PONG_SECONDS = 4.0
RETRY = Backoff(first=0.1, longest=2.0)
REFUSED_TRIES = 3
"""Wrong credentials do not become right by asking again."""
CLOSE_SECONDS = 1.0
END_TRIES = 5
STOP_SECONDS = 5.0

log = structlog.get_logger()


@dataclass(frozen=True)
class _Asked:
    subject: str
    answer: asyncio.Future[Incoming]


class Connection:
    """See `transport.Transport`."""

    def __init__(self, options: BusOptions) -> None:
        self.counts: Counter[str] = Counter()
        self._options = options
        self._client: Client | None = None
        self._lost = asyncio.Event()
        self._subscriptions: set[_Subscription] = set()
        self._forbidden: set[str] = set()
        self._asked: dict[str, _Asked] = {}
        self._inbox = self.new_inbox()
        self._on_lost: list[Callable[[], None]] = []
        self._on_back: list[Callable[[], None]] = []
        self._once = Once()
        self._keeper: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._refusals = 0
        self._closing = False

    async def open(self, wait_seconds: float | None) -> None:
        """Raises Unavailable when NATS cannot be reached in time or refuses the credentials."""
        if self._options.nkey_seed:
            _check_seed(self._options.nkey_seed)
        self._subscriptions.add(_Subscription(self, f"{self._inbox}.*", "", self._take_answer))
        self._keeper = asyncio.create_task(self._keep(), name="bus-connection")
        try:
            async with asyncio.timeout(wait_seconds):
                await asyncio.shield(self._first)
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
        self._asked[token] = _Asked(subject, answer)
        try:
            await self.publish(subject, data, headers, reply=f"{self._inbox}.{token}")
            async with asyncio.timeout(timeout):
                incoming = await answer
        except TimeoutError:
            raise TimedOut("no answer in time; whether it happened is unknown") from None
        finally:
            del self._asked[token]
        if incoming.headers.get("Status") == "503":
            raise NotRunning("nobody serves this now")
        return incoming

    async def subscribe(self, subject: str, queue: str, on_message: OnMessage) -> Served:
        subscription = _Subscription(self, subject, queue, on_message)
        self._subscriptions.add(subscription)
        client = self._client
        if client is not None:
            try:
                await subscription.attach(client)
                await _barrier(client)
            except (nats.errors.Error, OSError, TimeoutError):
                self.distrust()  # made again with the next client
        if subject.lower() in self._forbidden:
            await subscription.stop()
            raise Refused("the server does not permit this subscription", code="not_permitted")
        return subscription

    def distrust(self) -> None:
        """Give the present client up. After a ping that was not answered in time nats-py's reader dies of the late
        answer, and says nothing."""
        self._lost.set()

    def trusts(self, client: Client) -> bool:
        return client.is_connected and not self._lost.is_set()

    async def close(self) -> None:
        """Idempotent; never raises."""
        self._closing = True
        if self._keeper is not None:
            await _end(self._keeper)
        if not self._first.done():
            self._first.cancel()
        for subscription in list(self._subscriptions):
            await subscription.stop()
        client, self._client = self._client, None
        if client is None:
            return
        if self.trusts(client):
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                await _barrier(client)
        await _discard(client)

    def forget(self, subscription: _Subscription) -> None:
        self._subscriptions.discard(subscription)

    async def _keep(self) -> None:
        attempt = 0
        while not self._closing:
            try:
                client = await self._connect()
            except Exception as error:
                if self._gives_up(error):
                    return
                attempt += 1
                await asyncio.sleep(RETRY.delay(attempt, random.random()))  # noqa: S311
                continue
            attempt = 0
            self._came(client)
            await self._until_lost(client)
            self._went()
            await _discard(client)

    async def _connect(self) -> Client:
        self._lost = asyncio.Event()
        self._forbidden.clear()
        client = Client()
        try:
            async with asyncio.timeout(CONNECT_SECONDS * 4):
                await self._dial(client, self._lost)
                for subscription in list(self._subscriptions):
                    await subscription.attach(client)
                await _barrier(client)
        except BaseException:
            await _discard(client)
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
            error_cb=self._fault,
            closed_cb=closed,
        )

    def _gives_up(self, error: Exception) -> bool:
        refused = "authorization" in str(error).lower()
        if self._once("connect", type(error).__name__):
            log.warning("bus_unreachable", error=type(error).__name__, refused=refused)
        if not refused:
            return False
        self.counts["refused"] += 1
        self._refusals += 1
        if self._first.done() or self._refusals < REFUSED_TRIES:
            return False
        self._first.set_exception(
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

    def _came(self, client: Client) -> None:
        self._client = client
        self._refusals = 0
        if not self._first.done():
            self._first.set_result(None)
            return
        log.info("bus_back")
        _call_all(self._on_back)

    def _went(self) -> None:
        self._client = None
        self.counts["lost"] += 1
        self._once.forget()
        log.warning("bus_lost")
        _call_all(self._on_lost)

    async def _take_answer(self, incoming: Incoming) -> None:
        asked = self._asked.get(incoming.subject.rsplit(".", 1)[-1])
        if asked is not None and not asked.answer.done():
            asked.answer.set_result(incoming)

    async def _fault(self, error: Exception) -> None:
        """nats-py's error callback: the only place where slow consumers and permission faults show."""
        text = str(error)
        if isinstance(error, nats.errors.SlowConsumerError):
            self._count("slow_consumer", error.subject)
        elif "permissions violation" in text.lower():
            self._forbid(text)
        elif not isinstance(error, OSError | nats.errors.UnexpectedEOF | TimeoutError):
            self._count("other", type(error).__name__)

    def _forbid(self, text: str) -> None:
        text = text.lower()  # as nats-py does with some errors
        subject = text.split('"')[1] if '"' in text else ""
        self._count("permission", subject)
        if "subscription" in text:
            self._forbidden.add(subject)
            return
        for asked in self._asked.values():
            if asked.subject.lower() == subject and not asked.answer.done():
                asked.answer.set_exception(Refused("the server does not permit this", code="not_permitted"))

    def _count(self, fault: str, about: str) -> None:
        self.counts[fault] += 1
        if self._once(fault, about):
            log.error("bus_fault", fault=fault, about=about)


class _Subscription:
    """A subscription that is made again on each new client."""

    def __init__(self, connection: Connection, subject: str, queue: str, on_message: OnMessage) -> None:
        self._connection = connection
        self._subject = subject
        self._queue = queue
        self._on_message = on_message
        self._subscribed: NatsSubscription | None = None
        self._client: Client | None = None

    async def attach(self, client: Client) -> None:
        if client is self._client:
            return
        self._client = client
        self._subscribed = await client.subscribe(self._subject, queue=self._queue, cb=self._take)

    async def _take(self, message: Msg) -> None:
        await self._on_message(Incoming(message.subject, message.data, dict(message.headers or {}), message.reply))

    async def stop(self) -> None:
        """Drained, not unsubscribed: what the server has sent already is still worked on."""
        self._connection.forget(self)
        subscribed, self._subscribed = self._subscribed, None
        if subscribed is None or self._client is None or not self._connection.trusts(self._client):
            return
        try:
            await self._client._send_unsubscribe(subscribed._id)
            await _barrier(self._client)
            await asyncio.wait_for(subscribed.drain(), STOP_SECONDS)  # type: ignore[no-untyped-call]
        except (nats.errors.Error, OSError, TimeoutError):
            self._connection.distrust()


def _check_seed(seed: str) -> None:
    try:
        public_key(seed)
    except ValueError:
        raise Unavailable(
            "the credentials for NATS are no nkey seed", hint="check NATS_NKEY_SEED", code="credentials_refused"
        ) from None


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel until it ends: a cancellation may be swallowed."""
    for _ in range(END_TRIES):
        task.cancel()
        _, still_running = await asyncio.wait({task}, timeout=CLOSE_SECONDS)
        if not still_running:
            return
    log.error("bus_task_will_not_end")


async def _barrier(client: Client) -> None:
    """Until the server has taken everything written so far. nats-py's flush alone lets its PING overtake commands that
    still wait in the client: a message sent to a "flushed" subscription was lost."""
    async with asyncio.timeout(CONNECT_SECONDS):
        while client.pending_data_size and client.is_connected:  # noqa: ASYNC110  (nats-py has no event for it)
            await asyncio.sleep(0)
        await client.flush(timeout=CONNECT_SECONDS)


async def _discard(client: Client) -> None:
    """End a client even when its socket's buffer is full and nobody reads it."""
    wire = getattr(client, "_transport", None)
    try:
        await asyncio.wait_for(client.close(), CLOSE_SECONDS)
    except Exception as error:
        log.debug("bus_close", error=type(error).__name__)
    writer = getattr(wire, "_io_writer", None)
    if writer is not None:
        writer.transport.abort()


def _call_all(callbacks: list[Callable[[], None]]) -> None:
    for callback in callbacks:
        try:
            callback()
        except Exception as error:
            log.error("bus_callback_failed", error=type(error).__name__)
