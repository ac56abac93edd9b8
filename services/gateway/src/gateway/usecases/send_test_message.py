"""Send one test message, at most once for a command id.

A message whose acknowledgement is missing may have been sent. The gateway never sends it again; whoever wants to know
asks with the same command id, and the worker answers from its outbox.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from gateway.domain.request_errors import SendFailed
from gateway.ports import Messenger, View
from shared.clock import Deadline
from shared.contracts.budgets import COMMAND_WAIT
from shared.contracts.commands import SEND_TEST, SendFailure, SendResult, SendTest
from shared.contracts.errors import NotConnected, ServiceError, TimedOut


@dataclass(frozen=True)
class MessageSent:
    """`ack` as WhatsApp counts it. `repeated`: the message had been sent before, for the same command id."""

    command_id: str
    message_id: str
    ack: int
    repeated: bool


@dataclass(frozen=True)
class SendTestMessage:
    view: View
    messenger: Messenger

    def __call__(self, session: str, phone_number: str, text: str, command_id: str, deadline: Deadline) -> MessageSent:
        """An empty `command_id` means a new one. Raises NotConnected, WorkerGone, SendFailed, and TimedOut with the
        code `unknown_outcome`."""
        command_id = command_id or uuid.uuid4().hex
        self.view.session(session).require_connected()
        message = SendTest(phone_number=phone_number, text=text)
        timeout = deadline.left(COMMAND_WAIT)
        try:
            result = self.messenger.ask_owner(
                SEND_TEST, session, message, SendResult, timeout=timeout, command_id=command_id
            )
        except TimedOut:
            raise _unknown_outcome(command_id) from None
        if result.outcome == "failed":
            raise _not_sent(result)
        if result.outcome != "sent":
            raise _unknown_outcome(command_id)
        return MessageSent(command_id, result.message_id, result.ack, result.repeated)


def _not_sent(result: SendResult) -> ServiceError:
    """The true cause: only WhatsApp's own refusal is called one."""
    match result.failure:
        case SendFailure.REFUSED | "":
            return SendFailed("WhatsApp refused the message", hint=result.error)
        case SendFailure.NOT_ON_WHATSAPP:
            return SendFailed(result.error, code=result.failure)
        case SendFailure.PAGE_ELSEWHERE | SendFailure.NOT_CONNECTED:
            return NotConnected(result.error, code=result.failure)
        case _:
            return SendFailed("the message was not sent", code="not_sent", hint=result.error)


def _unknown_outcome(command_id: str) -> TimedOut:
    return TimedOut(
        "no acknowledgement in time; the message may have been sent",
        code="unknown_outcome",
        hint=f"ask with the same Idempotency-Key ({command_id}), do not send again",
    )
