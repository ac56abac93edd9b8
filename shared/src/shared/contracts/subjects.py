"""Every name of a subject, a bucket and a stream. No other file of the product spells such a name; a test proves it.
Only the verb of a command stands elsewhere, beside the messages of the command.

Commands `wa.cmd.<area>.<verb>.<session>` are request/reply, events `wa.evt.<area>.<fact>.<session>` go to the stream
WA_EVENTS, telemetry `wa.tel.<service>.<what>.<instance>` is fire and forget.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .message import Message

SESSIONS_BUCKET = "wa-sessions"
"""The desired state, one SessionRecord a session; written by the gateway."""
STATUS_BUCKET = "wa-status"
"""The observed state, one SessionStatus a session; written by the session's owner."""
LEASES_BUCKET = "wa-leases"
"""One LeaseRecord a session; written by workers."""
LOGINS_BUCKET = "wa-logins"
"""One LoginRecord a login of the page; read and written by the gateway alone."""
EVENTS_STREAM = "WA_EVENTS"
EVENTS = "wa.evt.>"
"""All events."""
TELEMETRY = "wa.tel.>"
"""All telemetry."""


REPLY = "reply "
BACKUP_QUEUE = "backup"
"""Queue group of the backup replicas: any one of them serves a request."""
HEALTH_QUEUE = "health"


class ServiceName(StrEnum):
    GATEWAY = "gateway"
    WORKER = "browser-worker"
    BACKUP = "backup"
    HEALTH = "health"


@dataclass(frozen=True)
class Command:
    """A request that `server` answers: `verb` is "<area>.<verb>", `reply` is None for raw bytes. Each command stands
    beside its messages. Every command may be answered by an ErrorReply with the header Wa-Error."""

    verb: str
    server: ServiceName
    request: type[Message]
    reply: type[Message] | None
    askers: tuple[ServiceName, ...]
    """Who may ask; the permissions of NATS and the check of each signature follow from it."""


def command(asked: Command, session: str) -> str:
    """`command(SEND_TEST, "shop")` → `wa.cmd.message.send-test.shop`; `"*"` as session serves all."""
    return f"wa.cmd.{asked.verb}.{session}"


def key_of_bucket(bucket: str, key: str) -> str:
    """The subject of a key of a bucket; `">"` as key means all of them."""
    return f"$KV.{bucket}.{key}"


def reply_to(subject: str) -> str:
    """What the reply to a request on `subject` is signed for. No message is ever sent there."""
    return f"{REPLY}{subject}"


def matches(pattern: str, subject: str) -> bool:
    """NATS wildcards: `*` is one token, `>` the rest (at least one)."""
    expected, given = pattern.split("."), subject.split(".")
    for number, part in enumerate(expected):
        if part == ">":
            return len(given) > number
        if number >= len(given) or part not in ("*", given[number]):
            return False
    return len(expected) == len(given)


def event(area: str, fact: str, session: str) -> str:
    return f"wa.evt.{area}.{fact}.{session}"


def telemetry(service: str, what: str, instance: str) -> str:
    return f"wa.tel.{service}.{what}.{instance}"


WORKER_HEARTBEATS = telemetry(ServiceName.WORKER, "heartbeat", "*")
HEALTH_REPORTS = telemetry(ServiceName.HEALTH, "report", "*")
BACKUP_HEARTBEATS = telemetry(ServiceName.BACKUP, "heartbeat", "*")


def session_of(subject: str) -> str:
    """The last token: the session of a command or an event."""
    return subject.rsplit(".", 1)[-1]
