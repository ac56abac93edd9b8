"""The desired state that a request leads to, and the sentence that says what comes next.

The request number of a record grows only when the worker has something new to do. A second `initialize` while the first
is under way therefore changes nothing, and a second one after the session has given up makes the worker begin again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from shared.contracts.sessions import DesiredState, SessionRecord, State

from .observed import ObservedSession


@dataclass(frozen=True)
class NextStep:
    """What happens now: `code` for programs, `message` for people."""

    code: str
    message: str


STARTING = NextStep("starting", "The session is starting; its state follows")
CLEARED = NextStep("cleared", "The session was cleared")
CLEARING = NextStep("clearing", "Clearing is under way")
NOTHING_TO_CLEAR = NextStep("nothing", "There is no such session, so nothing was cleared")


def initialize(
    session: str, record: SessionRecord | None, observed: ObservedSession, now: datetime
) -> SessionRecord | None:
    """The record to write, or None when the session is already on its way."""
    if record is not None and record.desired == DesiredState.RUNNING:
        pending = _carried_out(observed) < record.request
        if pending or not _has_given_up(observed.state):
            return None
    return _next_record(session, record, DesiredState.RUNNING, observed, now)


def clear(session: str, record: SessionRecord | None, observed: ObservedSession, now: datetime) -> SessionRecord | None:
    """The record to write, or None when a clear is already pending."""
    if record is not None and record.desired == DesiredState.CLEARED and _carried_out(observed) < record.request:
        return None
    return _next_record(session, record, DesiredState.CLEARED, observed, now)


def initialize_done(observed: ObservedSession, request: int) -> bool:
    """Whether there is nothing more to wait for: the session is connected, or shows a QR code for this request."""
    if observed.state is State.CONNECTED:
        return True
    has_qr = observed.status is not None and observed.status.pairing.qr is not None
    return _carried_out(observed) >= request and observed.state is State.PAIRING and has_qr


def clear_done(observed: ObservedSession, request: int) -> bool:
    return _carried_out(observed) >= request and observed.state is State.STOPPED


def after_initialize(observed: ObservedSession, request: int) -> NextStep:
    """The step that follows an `initialize` with this request number."""
    state = observed.state
    match state:
        case State.CONNECTED:
            return NextStep("connected", "The session is connected")
        case State.PAIRING:
            return NextStep("pairing", "Scan the QR code with the phone to link it")
        case State.SYNCING:
            return NextStep("syncing", "The phone is linked; WhatsApp is loading the chats")
        case State.RESTORING:
            return NextStep("restoring", "The session is being restored from a backup")
        case State.RECONNECTING:
            return NextStep("reconnecting", "The session is reconnecting")
        case State.STARTING:
            return NextStep("starting", "The session is starting")
        case State.STOPPED:
            return STARTING
        case State.CONFLICT | State.LOGGED_OUT | State.NEEDS_ATTENTION | State.FAILED | State.UNKNOWN:
            # The old state means nothing while the worker has not taken up the request.
            if _carried_out(observed) < request or observed.status is None:
                return STARTING
            detail = observed.status.detail or f"The session is in the state {state}"
            return NextStep(state.value, detail)
        case _:
            assert_never(state)


def _has_given_up(state: State) -> bool:
    """Whether a session that is desired running needs a new request before its worker does anything."""
    match state:
        case (
            State.STARTING
            | State.RESTORING
            | State.PAIRING
            | State.SYNCING
            | State.CONNECTED
            | State.RECONNECTING
        ):  # fmt: skip
            return False
        case (
            State.STOPPED
            | State.CONFLICT
            | State.LOGGED_OUT
            | State.NEEDS_ATTENTION
            | State.FAILED
            | State.UNKNOWN
        ):  # fmt: skip
            return True
        case _:
            assert_never(state)


def _carried_out(observed: ObservedSession) -> int:
    return observed.status.request if observed.status else 0


def _next_record(
    session: str, record: SessionRecord | None, desired: DesiredState, observed: ObservedSession, now: datetime
) -> SessionRecord:
    # After NATS has lost its data the record is new, although the worker has carried out earlier requests.
    newest = max(record.request if record else 0, _carried_out(observed))
    return SessionRecord(session=session, desired=desired.value, requested_at=now, request=newest + 1)
