"""Request and reply, both halves: what an asker writes and reads, and how a request becomes a call of a handler.

A request is signed by its asker, and its reply by the server for this one request. A private message is
encrypted for the process that owns the session.

Two rules protect the asker. The text of an unexpected error never leaves the process, because it may hold personal
data. A request whose deadline has passed is not carried out, because its asker has given up and may have repeated it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import uuid4

import structlog

from shared.clock import Clock
from shared.contracts.errors import (
    ErrorReply,
    Invalid,
    NotRunning,
    ServiceError,
    TimedOut,
    Unavailable,
    from_reply,
    to_reply,
)
from shared.contracts.message import SIGNATURE, BadMessage, Identity, Message, NotForUs, decode, encode
from shared.contracts.subjects import reply_to, session_of

from .gate import Gate
from .listening import where_raised
from .repeat_filter import RepeatFilter
from .transport import Incoming, Subscription, Transport

DEADLINE = "Deadline"
"""ISO instant with a zone. Machines whose clocks differ by seconds drop good requests."""
COMMAND_ID = "Command-Id"
CORRELATION_ID = "Correlation-Id"
ERROR = "Wa-Error"
STOP_SECONDS = 10.0

M = TypeVar("M", bound=Message)
R = TypeVar("R", bound=Message)
log = structlog.get_logger()


def request_headers(clock: Clock, timeout: float, command_id: str | None) -> dict[str, str]:
    """`timeout` in seconds from now becomes the deadline."""
    return {
        DEADLINE: (clock.now() + timedelta(seconds=timeout)).isoformat(),
        COMMAND_ID: command_id or uuid4().hex,
        CORRELATION_ID: correlation_id(),
    }


def correlation_id() -> str:
    """The correlation id of the request that this task works on, or a new one."""
    bound = structlog.contextvars.get_contextvars().get("correlation_id")
    return str(bound) if bound else uuid4().hex[:16]


def written(identity: Identity, message: Message, owner_key: str) -> bytes:
    """The bytes to send; those of a private message are encrypted. Raises NotRunning when `owner_key` is no key."""
    data = encode(message)
    if not message.private:
        return data
    try:
        return identity.encrypt(data, owner_key)
    except ValueError:
        raise NotRunning("the worker's key is not known yet", hint="try again in a few seconds") from None


def check_answer(gate: Gate, subject: str, asked: Mapping[str, str], answer: Incoming) -> Incoming:
    """The answer, when the server has signed it for this request. Raises TimedOut: what was carried out is unknown."""
    if gate.believes(reply_to(subject), reply_headers(asked, answer.headers), answer.data, where=subject):
        return answer
    raise TimedOut("the answer is not the server's; whether it happened is unknown", code="unverified_answer")


def reply_headers(asked: Mapping[str, str], reply: Mapping[str, str]) -> dict[str, str]:
    """What a reply is signed with: the request's own headers, and whether the reply is an error."""
    bound = {name: asked.get(name, "") for name in (COMMAND_ID, DEADLINE)}
    return bound | {name: reply[name] for name in (ERROR, SIGNATURE) if name in reply}


def read_bytes(answer: Incoming) -> bytes:
    """Raises the error that the answer carries."""
    if ERROR in answer.headers:
        raise from_reply(_read(answer.data, ErrorReply))
    return answer.data


def read_message(answer: Incoming, kind: type[R]) -> R:
    """Raises the error that the answer carries."""
    return _read(read_bytes(answer), kind)


def _read(data: bytes, kind: type[R]) -> R:
    try:
        return decode(data, kind)
    except BadMessage:
        raise ServiceError(f"the answer is not a {kind.__name__}", code="bad_answer") from None


@dataclass(frozen=True)
class Call:
    """What a request carries beside its message. `session` is the last token of the subject."""

    subject: str
    session: str
    command_id: str
    deadline: datetime | None
    correlation_id: str


Handler = Callable[[M, Call], Awaitable[Message | bytes]]


def read_call(incoming: Incoming) -> Call:
    """Raises Invalid."""
    headers = incoming.headers
    return Call(
        subject=incoming.subject,
        session=session_of(incoming.subject),
        command_id=headers.get(COMMAND_ID) or uuid4().hex,
        deadline=read_deadline(headers),
        correlation_id=headers.get(CORRELATION_ID) or uuid4().hex[:16],
    )


def read_deadline(headers: Mapping[str, str]) -> datetime | None:
    """Raises Invalid."""
    text = headers.get(DEADLINE)
    if not text:
        return None
    try:
        deadline = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("the Deadline header is no instant") from None
    if deadline.tzinfo is None:
        raise Invalid("the Deadline header has no zone")
    return deadline


def _deadline_or_none(headers: Mapping[str, str]) -> datetime | None:
    try:
        return read_deadline(headers)
    except Invalid:
        return None


class RequestServer(Generic[M]):
    """Calls `handler` for each request, each in a task of its own, `concurrency` at once."""

    def __init__(
        self, subject: str, transport: Transport, gate: Gate, clock: Clock, kind: type[M], handler: Handler[M],
        *, concurrency: int,
    ) -> None:  # fmt: skip
        self._subject = subject
        self._transport = transport
        self._gate = gate
        self._clock = clock
        self._kind = kind
        self._handler = handler
        self._free = asyncio.Semaphore(concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self._logged = RepeatFilter()
        self.subscription: Subscription | None = None

    async def accept(self, incoming: Incoming) -> None:
        if not self._gate.takes_request(self._subject, incoming, _deadline_or_none(incoming.headers)):
            return
        await self._free.acquire()
        task = asyncio.create_task(self._serve(incoming))
        self._running.add(task)
        task.add_done_callback(self._finished)

    async def stop(self) -> None:
        if self.subscription is not None:
            await self.subscription.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_SECONDS)
        for task in list(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=1.0)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._free.release()

    async def _serve(self, incoming: Incoming) -> None:
        try:
            call = read_call(incoming)
            if call.deadline is not None and self._clock.now() >= call.deadline:
                self._drop_late(call)
                return
            data, headers = await self._answer(incoming, call), None
        except asyncio.CancelledError:
            data, headers = _error(Unavailable("the service is stopping"))
        except Exception as error:
            self._report(incoming.subject, error)
            data, headers = _error(error)
        await self._respond(incoming, data, headers)

    async def _answer(self, incoming: Incoming, call: Call) -> bytes:
        message = self._read(incoming)
        with structlog.contextvars.bound_contextvars(correlation_id=call.correlation_id):
            answer = await self._handler(message, call)
        return answer if isinstance(answer, bytes) else encode(answer)

    def _read(self, incoming: Incoming) -> M:
        data = incoming.data
        try:
            return decode(self._gate.identity.decrypt(data) if self._kind.private else data, self._kind)
        except NotForUs:
            raise NotRunning(
                "the request is encrypted for another process", hint="try again in a few seconds"
            ) from None
        except BadMessage as error:
            raise Invalid(str(error), code="bad_message") from None

    async def _respond(self, incoming: Incoming, data: bytes, headers: Mapping[str, str] | None) -> None:
        asked, unsigned = incoming.headers, dict(headers or {})
        signature = self._gate.identity.sign(reply_to(incoming.subject), reply_headers(asked, unsigned), data)
        try:
            await self._transport.publish(incoming.reply, data, unsigned | {SIGNATURE: signature})
        except Invalid as error:
            self._report(incoming.subject, error)
            await self._respond(incoming, *_error(error))
        except ServiceError:
            self._transport.counts["answer_lost"] += 1

    def _drop_late(self, call: Call) -> None:
        self._transport.counts["late"] += 1
        if self._logged.is_new("late", call.subject):
            log.warning("request_too_late", subject=call.subject)

    def _report(self, subject: str, error: Exception) -> None:
        if isinstance(error, ServiceError):
            return
        self._transport.counts["handler_failed"] += 1
        where = where_raised(error)
        if self._logged.is_new(type(error).__name__, where):
            log.error("handler_failed", subject=subject, error=type(error).__name__, where=where)


def _error(error: Exception) -> tuple[bytes, Mapping[str, str]]:
    return encode(to_reply(error)), {ERROR: "1"}
