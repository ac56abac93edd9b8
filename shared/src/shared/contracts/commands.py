"""Requests to the session's owner and their replies. `Command-Id` and `Deadline` travel in headers (shared.bus)."""

from __future__ import annotations

from .message import Message
from .sessions import SessionStatus


class Check(Message, frozen=True, kw_only=True, tag="wa.session.v1.check"):
    """Probe the page, validate the profile now, and start a save and a backup behind the answer."""

    back_up: bool = True


class Checked(Message, frozen=True, kw_only=True, tag="wa.session.v1.checked"):
    status: SessionStatus
    probe_ok: bool
    backup_started: bool = False


class PairPhone(Message, frozen=True, kw_only=True, tag="wa.session.v1.pair_phone"):
    phone_number: str


class PairingCode(Message, frozen=True, kw_only=True, tag="wa.session.v1.pairing_code"):
    code: str
    valid_seconds: int


class SendTest(Message, frozen=True, kw_only=True, tag="wa.message.v1.send_test"):
    """Send one text, at most once for a Command-Id."""

    phone_number: str
    text: str


class AskCommand(Message, frozen=True, kw_only=True, tag="wa.message.v1.ask_command"):
    """What became of a command, by its id."""

    command_id: str


class SendResult(Message, frozen=True, kw_only=True, tag="wa.message.v1.send_result"):
    """`outcome`: sent (the server acknowledged), failed (it refused), unknown (no acknowledgement in time; do not send
    again, ask), intended (under way), absent (never seen). `ack` as WhatsApp counts: -1 refused, 0 clock, 1 server,
    2 device, 3 read. `repeated`: the recorded result of an earlier command with the same id."""

    outcome: str
    command_id: str = ""
    message_id: str = ""
    ack: int = 0
    error: str = ""
    repeated: bool = False


class BackUpNow(Message, frozen=True, kw_only=True, tag="wa.session.v1.back_up"):
    """Snapshot, save and back up; refused unless connected."""


class BackedUp(Message, frozen=True, kw_only=True, tag="wa.session.v1.backed_up"):
    """`outcome`: stored, unchanged."""

    outcome: str
    backup_id: str = ""


class RestoreNow(Message, frozen=True, kw_only=True, tag="wa.session.v1.restore"):
    """Put a backup in place of the profile; "" means the newest good one. The present profile is kept beside it."""

    backup_id: str = ""


class Accepted(Message, frozen=True, kw_only=True, tag="wa.session.v1.accepted"):
    """The work has begun; the status shows how it goes."""

    detail: str = ""
