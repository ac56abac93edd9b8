"""Test messages: at most once for a command id, whatever happens to the answer.

The trap: a message without an acknowledgement may still leave after a reconnect, so a retry would send it twice. The
outbox records the intention before the send, and after a doubt the page is asked what became of the message.
"""

from __future__ import annotations

import asyncio
import hashlib

import msgspec

from browser_worker.domain.details import DETAILS
from browser_worker.ports import BrowserGone, BrowserHangs, PageElsewhere
from shared.contracts.commands import SendFailure, SendResult
from shared.contracts.errors import Conflict, NotConnected, Unavailable
from shared.contracts.sessions import Reason, State
from shared.runtime import get_logger

from .context import Context
from .freeze_guard import Holder

log = get_logger()

SHORTEST_SEND = 0.2
"""Seconds that must be left to begin a send."""


class Sending:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._deps = context.deps

    async def send(self, command_id: str, number: str, text: str, *, timeout: float) -> SendResult:
        """`timeout` in seconds. Raises NotConnected and Unavailable only before anything was sent, and
        Conflict when the id belongs to another message."""
        deadline = self._deps.clock.monotonic() + timeout
        asked = _digest(command_id, number, text)
        recorded = self._deps.outbox.find(command_id)
        if recorded is not None:
            self._must_be_the_same(command_id, asked)
            return await self._recorded(recorded)
        self._must_be_connected()
        message_id = await self._new_message_id(number, timeout)
        recorded = self._deps.outbox.intend(command_id, message_id, asked)
        if recorded is not None:
            self._must_be_the_same(command_id, asked)
            return await self._recorded(recorded)
        result = await self._send(command_id, number, text, message_id, deadline)
        self._deps.outbox.record_outcome(command_id, result)
        log.info("test_message", session=self._deps.session, outcome=result.outcome, ack=result.ack)
        return result

    async def status(self, command_id: str) -> SendResult:
        recorded = self._deps.outbox.find(command_id)
        if recorded is None:
            return SendResult(outcome="absent", command_id=command_id)
        return await self._recorded(recorded)

    def _must_be_the_same(self, command_id: str, asked: str) -> None:
        """A record from before digests were kept counts as the same."""
        recorded = self._deps.outbox.asked(command_id)
        if recorded and recorded != asked:
            raise Conflict(
                "this Idempotency-Key was used for another message",
                code="idempotency_key_reused",
                hint="nothing was sent; use a new key for a new message",
            )

    def _must_be_connected(self) -> None:
        if self._context.session.state is not State.CONNECTED:
            if self._context.session.reason is Reason.PAGE_ELSEWHERE:
                raise _elsewhere()
            raise NotConnected(
                f"the session is not connected (it is {self._context.session.state.value})",
                hint="initialize, and link the phone if a QR is shown",
            )
        if Holder.LEASE in self._context.freeze_guard.holders:
            raise Unavailable("the browser is paused for a moment", hint="try again in a few seconds")

    def _page_is_ready(self) -> bool:
        """The lock of the page keeps other work off it; only a doubt of the lease may stop the page under a send."""
        frozen = Holder.LEASE in self._context.freeze_guard.holders
        return self._context.session.state is State.CONNECTED and not frozen

    async def look_up_open(self) -> None:
        """Ask the page about sends whose outcome is not known, such as those of a worker that was killed."""
        for recorded in self._deps.outbox.open():
            await self._looked_up(recorded)

    async def _new_message_id(self, number: str, timeout: float) -> str:
        try:
            async with asyncio.timeout(timeout):
                return await self._deps.browser.new_message_id(number)
        except PageElsewhere as error:
            raise _elsewhere() from error
        except (BrowserGone, BrowserHangs, TimeoutError) as error:
            raise Unavailable(
                "the browser does not answer; nothing was sent", hint="the worker restarts it; try again in a moment"
            ) from error

    async def _send(self, command_id: str, number: str, text: str, message_id: str, deadline: float) -> SendResult:
        """One at a time. A message whose turn comes too late, or on a page that is no longer connected, is not sent."""
        try:
            async with asyncio.timeout(deadline - self._deps.clock.monotonic()):
                await self._context.page_lock.acquire()
        except TimeoutError:
            return _not_sent(command_id, message_id, "the page was busy; nothing was sent")
        try:
            left = deadline - self._deps.clock.monotonic()
            if left < SHORTEST_SEND or not self._page_is_ready():
                return _not_sent(command_id, message_id, "the page was not ready in time; nothing was sent")
            outcome = await self._deps.browser.send_text(number, text, message_id, timeout=left)
        except (BrowserGone, BrowserHangs, TimeoutError) as error:
            text_of_error = f"no acknowledgement ({type(error).__name__})"
            return SendResult(outcome="unknown", command_id=command_id, message_id=message_id, error=text_of_error)
        finally:
            self._context.page_lock.release()
        return SendResult(
            outcome=outcome.outcome,
            command_id=command_id,
            message_id=message_id,
            ack=outcome.ack,
            error=outcome.error,
            failure=outcome.failure,
        )

    async def _recorded(self, recorded: SendResult) -> SendResult:
        """The recorded result of an earlier send; an unknown outcome is looked up in the page once more."""
        if recorded.outcome in ("intended", "unknown"):
            recorded = await self._looked_up(recorded)
        return msgspec.structs.replace(recorded, repeated=True)

    async def _looked_up(self, recorded: SendResult) -> SendResult:
        if not recorded.message_id or not self._page_is_ready():
            return recorded
        try:
            found = await self._deps.browser.find_message(recorded.message_id)
        except (BrowserGone, BrowserHangs):
            return recorded
        if found is None or found.outcome == "unknown":
            return recorded
        known = msgspec.structs.replace(
            recorded, outcome=found.outcome, ack=found.ack, error=found.error, failure=found.failure
        )
        self._deps.outbox.record_outcome(recorded.command_id, known)
        return known


def _digest(command_id: str, number: str, text: str) -> str:
    """Tells two messages apart. Short, so that it proves no message to whoever reads the journal, and with the command
    id in it, so that digests of one message under two ids differ."""
    return hashlib.sha256("\0".join((command_id, number, text)).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _elsewhere() -> NotConnected:
    return NotConnected(
        "the page left WhatsApp Web; nothing was sent",
        code=SendFailure.PAGE_ELSEWHERE,
        hint=DETAILS[Reason.PAGE_ELSEWHERE],
    )


def _not_sent(command_id: str, message_id: str, why: str) -> SendResult:
    return SendResult(
        outcome="failed", command_id=command_id, message_id=message_id, error=why, failure=SendFailure.NOT_READY
    )
