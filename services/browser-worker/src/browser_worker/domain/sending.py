"""What the page's answer to a send means. Pure.

The trap: a refusal by WhatsApp does not raise. It is an answer (`ack: -1`, a result other than OK). Silence is neither
sent nor failed: the message stays queued in the page and may leave later.
"""

from __future__ import annotations

from shared.contracts.commands import SendFailure

from .reading import SendOutcome

REFUSED = -1
CLOCK = 0
SERVER = 1
NOT_READY = "the page's send functions are not ready"
NOT_CONNECTED = "the page is not connected"
NOT_ON_WHATSAPP = "this number is not on WhatsApp"
NO_ACK = "no acknowledgement in time"

ELSEWHERE = "the page shows something other than WhatsApp Web; nothing was sent"

STEPS = {
    "ready": SendFailure.NOT_READY,
    "connected": SendFailure.NOT_CONNECTED,
    "number": SendFailure.NOT_ON_WHATSAPP,
    "late": SendFailure.NO_ANSWER,
}
"""The steps of page/send.js at which it may stop before anything was sent."""

STOPPED_AT = {
    SendFailure.NOT_READY: NOT_READY,
    SendFailure.NOT_CONNECTED: NOT_CONNECTED,
    SendFailure.NOT_ON_WHATSAPP: NOT_ON_WHATSAPP,
    SendFailure.NO_ANSWER: "WhatsApp did not answer whether this number is on it",
    SendFailure.PAGE_ELSEWHERE: ELSEWHERE,
}
"""Why nothing was sent, in a sentence."""


def sent(ack: int) -> SendOutcome:
    return SendOutcome("sent", ack=max(ack, SERVER))


def failed(error: str, *, failure: SendFailure) -> SendOutcome:
    return SendOutcome("failed", ack=REFUSED, error=error, failure=failure)


def stopped_at(failure: SendFailure) -> SendOutcome:
    """Nothing was sent."""
    return failed(STOPPED_AT[failure], failure=failure)


def unknown(error: str = NO_ACK) -> SendOutcome:
    return SendOutcome("unknown", ack=CLOCK, error=error)


def outcome_of_send(ack: int, result: str) -> SendOutcome:
    """`result`: WhatsApp's word for the send (`OK`, `ERROR_NETWORK`, …), "" if it gave none.

    A result that is not OK beside an ack that is no refusal stays unknown, because the page may try again.
    """
    if ack <= REFUSED:
        return failed(_refusal(result), failure=SendFailure.REFUSED)
    if ack >= SERVER or result == "OK":
        return sent(ack)
    return unknown(f"{NO_ACK} ({result})" if result else NO_ACK)


def outcome_of_message(ack: int) -> SendOutcome:
    """The outcome of a message that was found later. A message without an acknowledgement may still leave."""
    return outcome_of_send(ack, "")


def _refusal(result: str) -> str:
    return f"WhatsApp refused the message ({result})" if result else "WhatsApp refused the message"
