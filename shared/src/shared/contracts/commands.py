"""The commands that the session's owner serves: requests, replies and verbs.

The requests are private, because they hold phone numbers and texts.
`Command-Id` and `Deadline` travel in headers (`shared.bus`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from .message import Message
from .sessions import SessionStatus
from .subjects import Command, ServiceName

GATEWAY = (ServiceName.GATEWAY,)


class Check(Message, frozen=True, kw_only=True, tag="wa.session.v1.check"):
    """Probe the page and validate the profile now; start a save and a backup that outlast the answer."""

    private: ClassVar[bool] = True
    back_up: bool = True


class Checked(Message, frozen=True, kw_only=True, tag="wa.session.v1.checked"):
    status: SessionStatus
    probe_ok: bool
    backup_started: bool = False


CHECK = Command("session.check", ServiceName.WORKER, Check, Checked, GATEWAY)


class PairPhone(Message, frozen=True, kw_only=True, tag="wa.session.v1.pair_phone"):
    private: ClassVar[bool] = True
    phone_number: str


class PairingCode(Message, frozen=True, kw_only=True, tag="wa.session.v1.pairing_code"):
    code: str
    valid_seconds: int


PAIR_PHONE = Command("session.pair-phone", ServiceName.WORKER, PairPhone, PairingCode, GATEWAY)


class SendTest(Message, frozen=True, kw_only=True, tag="wa.message.v1.send_test"):
    """Send one text, at most once for each Command-Id."""

    private: ClassVar[bool] = True
    phone_number: str
    text: str


class AskCommand(Message, frozen=True, kw_only=True, tag="wa.message.v1.ask_command"):
    """Ask what became of the command with this id."""

    private: ClassVar[bool] = True
    command_id: str


class SendFailure(StrEnum):
    """Why a message was not sent; plain text on the bus. REFUSED alone is WhatsApp's own answer."""

    REFUSED = "refused"
    NOT_ON_WHATSAPP = "not_on_whatsapp"
    NO_ANSWER = "no_answer"
    """WhatsApp did not say whether the number is on it."""
    NOT_CONNECTED = "not_connected"
    NOT_READY = "not_ready"
    """The page, or its functions for sending, were not ready in time."""
    PAGE_REFUSED = "page_refused"
    """The page's own code refused before anything was sent."""
    PAGE_ELSEWHERE = "page_elsewhere"
    """The page showed something other than WhatsApp Web."""


class SendResult(Message, frozen=True, kw_only=True, tag="wa.message.v1.send_result"):
    """`outcome`: sent (WhatsApp's server acknowledged), failed (`failure` says why), unknown (no acknowledgement in
    time: ask again, never send again), intended (under way), absent (the command was never seen). `ack` counts as
    WhatsApp does: -1 refused, 0 waiting, 1 server, 2 device, 3 read. `repeated`: an earlier command with the same id
    has this result."""

    outcome: str
    command_id: str = ""
    message_id: str = ""
    ack: int = 0
    error: str = ""
    failure: str = ""
    """A SendFailure; "" from an older worker."""
    repeated: bool = False


SEND_TEST = Command("message.send-test", ServiceName.WORKER, SendTest, SendResult, GATEWAY)
ASK_COMMAND = Command("message.status", ServiceName.WORKER, AskCommand, SendResult, GATEWAY)


class BackUpNow(Message, frozen=True, kw_only=True, tag="wa.session.v1.back_up"):
    """Snapshot, save and back up. The owner refuses unless the session is connected."""

    private: ClassVar[bool] = True


class BackedUp(Message, frozen=True, kw_only=True, tag="wa.session.v1.backed_up"):
    """`outcome`: stored, unchanged."""

    outcome: str
    backup_id: str = ""


BACK_UP_NOW = Command("session.back-up", ServiceName.WORKER, BackUpNow, BackedUp, GATEWAY)


class RestoreNow(Message, frozen=True, kw_only=True, tag="wa.session.v1.restore"):
    """Put a backup in place of the profile; "" means the newest good backup. The present profile is set aside."""

    private: ClassVar[bool] = True
    backup_id: str = ""


class Accepted(Message, frozen=True, kw_only=True, tag="wa.session.v1.accepted"):
    """The work has begun; the status shows its progress."""

    detail: str = ""


RESTORE_NOW = Command("session.restore", ServiceName.WORKER, RestoreNow, Accepted, GATEWAY)
