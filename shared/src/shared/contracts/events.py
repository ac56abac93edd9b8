"""Facts that the stream of events holds."""

from __future__ import annotations

from .message import Instant, Message


class StateChanged(Message, frozen=True, kw_only=True, tag="wa.session.v1.state_changed"):
    session: str
    at: Instant
    epoch: int
    before: str
    state: str
    reason: str
    seconds: float = 0.0


class SnapshotSaved(Message, frozen=True, kw_only=True, tag="wa.session.v1.snapshot_saved"):
    session: str
    at: Instant
    epoch: int
    bytes: int
    pause_ms: float


class SessionRestored(Message, frozen=True, kw_only=True, tag="wa.session.v1.restored"):
    """`source`: save or backup."""

    session: str
    at: Instant
    epoch: int
    source: str
    snapshot: str
    seconds: float = 0.0


class BackupStored(Message, frozen=True, kw_only=True, tag="wa.backup.v1.backup_stored"):
    session: str
    at: Instant
    epoch: int
    backup: str
    bytes: int
    new_bytes: int
    seconds: float = 0.0


class BackupFailed(Message, frozen=True, kw_only=True, tag="wa.backup.v1.backup_failed"):
    session: str
    at: Instant
    epoch: int
    code: str


class BackupsLost(Message, frozen=True, kw_only=True, tag="wa.backup.v1.backups_lost"):
    """Good backups went from the object store, or cannot be restored any more, and retention did not remove them."""

    session: str
    at: Instant
    count: int
    left: int
    """Good backups that are still there."""


class RecordRejected(Message, frozen=True, kw_only=True, tag="wa.backup.v1.record_rejected"):
    """A control record in the object store does not count. `record`: head or tombstone; `fault`: a RecordFault."""

    session: str
    at: Instant
    record: str
    fault: str


class SessionCleared(Message, frozen=True, kw_only=True, tag="wa.session.v1.cleared"):
    session: str
    at: Instant
    epoch: int
    unlinked: bool
