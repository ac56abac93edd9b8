"""Every message and its place on the bus: pure data for the AsyncAPI document and the golden tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import subjects
from .backups import (
    Backups,
    ClaimEpoch,
    EpochClaimed,
    FetchChunk,
    FetchManifest,
    ListBackups,
    ReadChunk,
    Stored,
    StoreSnapshot,
    Tombstone,
    Tombstoned,
)
from .commands import (
    Accepted,
    AskCommand,
    BackedUp,
    BackUpNow,
    Check,
    Checked,
    PairingCode,
    PairPhone,
    RestoreNow,
    SendResult,
    SendTest,
)
from .errors import ErrorReply
from .events import BackupFailed, BackupStored, SessionCleared, SessionRestored, SnapshotSaved, StateChanged
from .health import HealthReport, Judge
from .message import Message
from .sessions import LeaseRecord, SessionRecord, SessionStatus
from .snapshots import SnapshotManifest
from .telemetry import BackupHeartbeat, WorkerHeartbeat

GATEWAY = "gateway"
WORKER = "browser-worker"
BACKUP = "backup"
HEALTH = "health"


@dataclass(frozen=True)
class Command:
    """Request and reply (None: raw bytes). Every command may be answered by an ErrorReply with the header Wa-Error."""

    verb: str
    server: str
    request: type[Message]
    reply: type[Message] | None


@dataclass(frozen=True)
class Fact:
    """A message without an answer. The last token of `subject` is `{session}` or `{instance}`."""

    subject: str
    sender: str
    message: type[Message]


@dataclass(frozen=True)
class KeyValue:
    """A bucket of the key-value store; the key is the session."""

    bucket: str
    writer: str
    message: type[Message]


COMMANDS = (
    Command(subjects.CHECK, WORKER, Check, Checked),
    Command(subjects.PAIR_PHONE, WORKER, PairPhone, PairingCode),
    Command(subjects.SEND_TEST, WORKER, SendTest, SendResult),
    Command(subjects.COMMAND_STATUS, WORKER, AskCommand, SendResult),
    Command(subjects.BACK_UP_NOW, WORKER, BackUpNow, BackedUp),
    Command(subjects.RESTORE_NOW, WORKER, RestoreNow, Accepted),
    Command(subjects.READ_CHUNK, WORKER, ReadChunk, None),
    Command(subjects.CLAIM_EPOCH, BACKUP, ClaimEpoch, EpochClaimed),
    Command(subjects.STORE, BACKUP, StoreSnapshot, Stored),
    Command(subjects.LIST, BACKUP, ListBackups, Backups),
    Command(subjects.FETCH_MANIFEST, BACKUP, FetchManifest, None),
    Command(subjects.FETCH_CHUNK, BACKUP, FetchChunk, None),
    Command(subjects.TOMBSTONE, BACKUP, Tombstone, Tombstoned),
    Command(subjects.JUDGE, HEALTH, Judge, HealthReport),
)
EVENTS = (
    Fact(subjects.event("session", "state_changed", "{session}"), WORKER, StateChanged),
    Fact(subjects.event("session", "snapshot_saved", "{session}"), WORKER, SnapshotSaved),
    Fact(subjects.event("session", "restored", "{session}"), WORKER, SessionRestored),
    Fact(subjects.event("session", "cleared", "{session}"), WORKER, SessionCleared),
    Fact(subjects.event("backup", "stored", "{session}"), BACKUP, BackupStored),
    Fact(subjects.event("backup", "failed", "{session}"), BACKUP, BackupFailed),
)
TELEMETRY = (
    Fact(subjects.telemetry(WORKER, "heartbeat", "{instance}"), WORKER, WorkerHeartbeat),
    Fact(subjects.telemetry(BACKUP, "heartbeat", "{instance}"), BACKUP, BackupHeartbeat),
    Fact(subjects.telemetry(HEALTH, "report", "{session}"), HEALTH, HealthReport),
)
BUCKETS = (
    KeyValue(subjects.SESSIONS_BUCKET, GATEWAY, SessionRecord),
    KeyValue(subjects.STATUS_BUCKET, WORKER, SessionStatus),
    KeyValue(subjects.LEASES_BUCKET, WORKER, LeaseRecord),
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
