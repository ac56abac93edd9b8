"""Turning a person's request into a wanted state, and a state into the sentence that says what comes next.

`request` of a record grows only when the worker has something new to do: asking twice for what is already under way
must not start it over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.contracts.sessions import INITIALIZING, DesiredState, SessionRecord, State

from .observed import Facts

UNDER_WAY = INITIALIZING | {State.CONNECTED, State.RECONNECTING}
"""States in which a session that is wanted running needs no new request."""


@dataclass(frozen=True)
class Next:
    """What happens now: `code` for programs, `message` for people."""

    code: str
    message: str


_AFTER_INITIALIZE = {
    State.CONNECTED: Next("connected", "The session is connected"),
    State.PAIRING: Next("pairing", "Scan the QR code with the phone to link it"),
    State.SYNCING: Next("syncing", "The phone is linked; WhatsApp is loading the chats"),
    State.RESTORING: Next("restoring", "The session is being restored from a backup"),
    State.RECONNECTING: Next("reconnecting", "The session is reconnecting by itself"),
    State.STARTING: Next("starting", "The session is starting"),
}
STARTING = Next("starting", "The session is starting; its state follows")
CLEARED = Next("cleared", "The session was cleared")
CLEARING = Next("clearing", "Clearing is under way")


def initialize(session: str, record: SessionRecord | None, facts: Facts, now: datetime) -> SessionRecord | None:
    """The record to write, or None when the session is already on its way."""
    if record is not None and record.desired == DesiredState.RUNNING:
        pending = _carried_out(facts) < record.request
        if pending or facts.state in UNDER_WAY:
            return None
    return _next_record(session, record, DesiredState.RUNNING, facts, now)


def clear(session: str, record: SessionRecord | None, facts: Facts, now: datetime) -> SessionRecord | None:
    """The record to write, or None when a clear is already pending."""
    if record is not None and record.desired == DesiredState.CLEARED and _carried_out(facts) < record.request:
        return None
    return _next_record(session, record, DesiredState.CLEARED, facts, now)


def initialize_settled(facts: Facts, request: int) -> bool:
    """Nothing more to wait for: connected, or something to scan."""
    if facts.state is State.CONNECTED:
        return True
    has_qr = facts.status is not None and facts.status.pairing.qr is not None
    return _carried_out(facts) >= request and facts.state is State.PAIRING and has_qr


def clear_settled(facts: Facts, request: int) -> bool:
    return _carried_out(facts) >= request and facts.state is State.STOPPED


def after_initialize(facts: Facts, request: int) -> Next:
    """The old state means nothing while the worker has not taken up the request."""
    if facts.state in _AFTER_INITIALIZE:
        return _AFTER_INITIALIZE[facts.state]
    if _carried_out(facts) < request or facts.status is None or facts.state is State.STOPPED:
        return STARTING
    return Next(facts.state.value, facts.status.detail or f"The session is in the state {facts.state}")


def _carried_out(facts: Facts) -> int:
    return facts.status.request if facts.status else 0


def _next_record(
    session: str, record: SessionRecord | None, wanted: DesiredState, facts: Facts, now: datetime
) -> SessionRecord:
    # The record may be new although the worker has carried out earlier ones: NATS lost its data.
    newest = max(record.request if record else 0, _carried_out(facts))
    return SessionRecord(session=session, desired=wanted.value, requested_at=now, request=newest + 1)
