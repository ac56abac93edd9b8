"""Every message and its place on the bus: pure data for the AsyncAPI document and the golden tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from . import backups, commands, health, subjects
from .errors import ErrorReply
from .events import (
    BackupFailed,
    BackupsLost,
    BackupStored,
    RecordRejected,
    SessionCleared,
    SessionRestored,
    SnapshotSaved,
    StateChanged,
)
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
    readers: tuple[ServiceName, ...]


@dataclass(frozen=True)
class KeyValue:
    """A bucket of the key-value store; the key is the session, or the id of what else it holds."""

    bucket: str
    writer: ServiceName
    message: type[Message]
    readers: tuple[ServiceName, ...]


COMMANDS = tuple(
    each for module in (commands, backups, health) for each in vars(module).values() if isinstance(each, Command)
)
"""Every command, as the modules of its messages name it."""
_GATEWAY, _WORKER, _BACKUP, _HEALTH = ServiceName
EVENTS = tuple(
    Fact(subjects.event(area, fact, "{session}"), sender, message, (_GATEWAY, _HEALTH))
    for area, fact, sender, message in (
        ("session", "state_changed", _WORKER, StateChanged),
        ("session", "snapshot_saved", _WORKER, SnapshotSaved),
        ("session", "restored", _WORKER, SessionRestored),
        ("session", "cleared", _WORKER, SessionCleared),
        ("backup", "stored", _BACKUP, BackupStored),
        ("backup", "failed", _BACKUP, BackupFailed),
        ("backup", "lost", _BACKUP, BackupsLost),
        ("backup", "record-rejected", _BACKUP, RecordRejected),
    )
)
"""All in one stream, so whoever reads one event may read them all."""
TELEMETRY = (
    Fact(subjects.telemetry(_WORKER, "heartbeat", "{instance}"), _WORKER, WorkerHeartbeat, (_GATEWAY, _HEALTH)),
    Fact(subjects.telemetry(_BACKUP, "heartbeat", "{instance}"), _BACKUP, BackupHeartbeat, (_GATEWAY, _HEALTH)),
    Fact(subjects.telemetry(_HEALTH, "report", "{session}"), _HEALTH, HealthReport, (_GATEWAY,)),
)
BUCKETS = (
    KeyValue(subjects.SESSIONS_BUCKET, _GATEWAY, SessionRecord, (_GATEWAY, _WORKER, _HEALTH)),
    KeyValue(subjects.STATUS_BUCKET, _WORKER, SessionStatus, (_GATEWAY, _HEALTH)),
    KeyValue(subjects.LEASES_BUCKET, _WORKER, LeaseRecord, (_WORKER,)),
    KeyValue(subjects.LOGINS_BUCKET, _GATEWAY, LoginRecord, (_GATEWAY,)),
)
INSIDE = (ErrorReply, SnapshotManifest)
"""Messages without a subject of their own: the reply of a failed command, and the manifest that chunks carry."""


def _kind(subject: str) -> str:
    """Everything but the last token, which is a session or an instance."""
    return subject.rpartition(".")[0]


_SENDERS: Mapping[str, frozenset[str]] = {
    **{_kind(subjects.command(each, "*")): frozenset(each.askers) for each in COMMANDS},
    **{_kind(subjects.reply_to(subjects.command(each, "*"))): frozenset({each.server}) for each in COMMANDS},
    **{_kind(each.subject): frozenset({each.sender}) for each in (*EVENTS, *TELEMETRY)},
    **{_kind(subjects.key_of_bucket(each.bucket, "*")): frozenset({each.writer}) for each in BUCKETS},
}


def senders(subject: str) -> frozenset[str]:
    """The users whose signature a receiver believes on `subject`; none where the subject has no place here."""
    return _SENDERS.get(_kind(subject), frozenset())


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
