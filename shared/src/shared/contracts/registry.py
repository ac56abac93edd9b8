"""Every message and its place on the bus: pure data for the AsyncAPI document and the golden tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import backups, commands, health, subjects
from .errors import ErrorReply
from .events import BackupFailed, BackupStored, SessionCleared, SessionRestored, SnapshotSaved, StateChanged
from .health import HealthReport
from .logins import LoginRecord
from .message import Message
from .sessions import LeaseRecord, SessionRecord, SessionStatus
from .snapshots import SnapshotManifest
from .subjects import Command, ServiceName
from .telemetry import BackupHeartbeat, WorkerHeartbeat


@dataclass(frozen=True)
class Fact:
    """A message without an answer. The last token of `subject` is `{session}` or `{instance}`."""

    subject: str
    sender: ServiceName
    message: type[Message]


@dataclass(frozen=True)
class KeyValue:
    """A bucket of the key-value store; the key is the session, or the id of what else it holds."""

    bucket: str
    writer: ServiceName
    message: type[Message]


COMMANDS = tuple(
    each for module in (commands, backups, health) for each in vars(module).values() if isinstance(each, Command)
)
"""Every command, as the modules of its messages name it."""
EVENTS = (
    Fact(subjects.event("session", "state_changed", "{session}"), ServiceName.WORKER, StateChanged),
    Fact(subjects.event("session", "snapshot_saved", "{session}"), ServiceName.WORKER, SnapshotSaved),
    Fact(subjects.event("session", "restored", "{session}"), ServiceName.WORKER, SessionRestored),
    Fact(subjects.event("session", "cleared", "{session}"), ServiceName.WORKER, SessionCleared),
    Fact(subjects.event("backup", "stored", "{session}"), ServiceName.BACKUP, BackupStored),
    Fact(subjects.event("backup", "failed", "{session}"), ServiceName.BACKUP, BackupFailed),
)
TELEMETRY = (
    Fact(subjects.telemetry(ServiceName.WORKER, "heartbeat", "{instance}"), ServiceName.WORKER, WorkerHeartbeat),
    Fact(subjects.telemetry(ServiceName.BACKUP, "heartbeat", "{instance}"), ServiceName.BACKUP, BackupHeartbeat),
    Fact(subjects.telemetry(ServiceName.HEALTH, "report", "{session}"), ServiceName.HEALTH, HealthReport),
)
BUCKETS = (
    KeyValue(subjects.SESSIONS_BUCKET, ServiceName.GATEWAY, SessionRecord),
    KeyValue(subjects.STATUS_BUCKET, ServiceName.WORKER, SessionStatus),
    KeyValue(subjects.LEASES_BUCKET, ServiceName.WORKER, LeaseRecord),
    KeyValue(subjects.LOGINS_BUCKET, ServiceName.GATEWAY, LoginRecord),
)
INSIDE = (ErrorReply, SnapshotManifest)
"""Messages without a subject of their own: the reply of a failed command, and the manifest that chunks carry."""


def messages() -> tuple[type[Message], ...]:
    """Every message class once, in the order of this file."""
    return tuple(dict.fromkeys(_all()))


def _all() -> Iterator[type[Message]]:
    for command in COMMANDS:
        yield command.request
        if command.reply is not None:
            yield command.reply
    for fact in (*EVENTS, *TELEMETRY):
        yield fact.message
    for bucket in BUCKETS:
        yield bucket.message
    yield from INSIDE
