"""Telemetry and callbacks: messages that nobody answers, and how a callback of ours is awaited and reported."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from shared.contracts.message import BadMessage, Message, decode

from .gate import Gate
from .repeat_filter import RepeatFilter
from .transport import Incoming, Subscription

M = TypeVar("M", bound=Message)
log = structlog.get_logger()

OnMessage = Callable[[M, str], Awaitable[None] | None]


class Listener(Generic[M]):
    """Calls `on_message` for each message, in order. Bad messages and errors of the handler are counted and logged
    once; the listener goes on."""

    def __init__(self, subject: str, gate: Gate, kind: type[M], on_message: OnMessage[M]) -> None:
        self._subject = subject
        self._gate = gate
        self._kind = kind
        self._on_message = on_message
        self._logged = RepeatFilter()
        self.subscription: Subscription | None = None

    async def accept(self, incoming: Incoming) -> None:
        if not self._gate.takes(self._subject, incoming):
            return
        try:
            message = decode(incoming.data, self._kind)
        except BadMessage as error:
            self._count("bad_message", incoming.subject, str(error))
            return
        try:
            await await_result(self._on_message(message, incoming.subject))
        except Exception as error:
            self._count("handler_failed", type(error).__name__, where_raised(error))

    async def stop(self) -> None:
        if self.subscription is not None:
            await self.subscription.stop()

    def _count(self, fault: str, about: str, detail: str) -> None:
        self._gate.counts[fault] += 1
        if self._logged.is_new(fault, about):
            log.error(fault, about=about, detail=detail)


async def await_result(result: Awaitable[None] | None) -> None:
    """Wait for what a callback returned, when the callback is asynchronous."""
    if inspect.isawaitable(result):
        await result


def where_raised(error: BaseException) -> str:
    """File and line, for log lines that must not hold the error's text."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
