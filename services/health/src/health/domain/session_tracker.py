"""Everything that was heard on the bus, folded into one Observation for each session. Pure; the time is an argument.

Who owns a session follows from the epochs. An epoch grows with each takeover, so a new epoch is a takeover. A status
with an epoch older than the newest is dropped, as every reader drops it, but here it is also evidence: another worker
still acts as the owner. Two workers with the newest epoch are worse, because the lease allows only one. A status of the
worker that is known already is believed whatever its epoch: after the bus lost its data, epochs begin anew.

The trap: after a reconnect the bus repeats statuses that are known already. A repetition is no sign of life. A status
that was there before this service listened (`live` False) is as old as it says; a live one is as old as its arrival.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from shared.contracts import metrics
from shared.contracts.events import (
    BackupsLost,
    RecordRejected,
    SessionCleared,
    SessionRestored,
    StateChanged,
)
from shared.contracts.health import HealthReport
from shared.contracts.identifiers import SESSION_ID
from shared.contracts.metrics import Metric
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat

from .observation import Observation
from .samples import (
    BackupReplicaSample,
    DuplicateOwner,
    GatewaySample,
    LostBackups,
    NatsSample,
    RejectedRecord,
    WorkerSample,
)
from .thresholds import Thresholds
from .verdict import judge, updated_open_since

FORGET_AFTER = timedelta(seconds=120)
"""A worker or a backup replica that is silent this long is forgotten when another one is heard."""
MAX_SESSIONS = 1000
"""Further sessions are not tracked: a bound for what unknown messages can make this service remember."""
SLOW_CONSUMERS_WINDOW = timedelta(seconds=300)
"""Clients that NATS cut off within this time count as new."""
MAX_EPOCHS = 64
MAX_DUPLICATE_OWNERS = 16
MAX_RECORDS = 8

Event = StateChanged | SessionRestored | SessionCleared | BackupsLost | RecordRejected


@dataclass
class _Known:
    """What is known of one session."""

    status: SessionStatus | None = None
    status_seen_at: datetime | None = None
    record: SessionRecord | None = None
    epochs: dict[int, datetime] = field(default_factory=dict)
    """Epoch → when it was first seen."""
    duplicate_owners: list[DuplicateOwner] = field(default_factory=list)
    lost_backups: LostBackups | None = None
    rejected_records: dict[str, RejectedRecord] = field(default_factory=dict)
    """By record."""
    open_since: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))

    def note_lost_backups(self, event: BackupsLost) -> None:
        if self.lost_backups is None or event.at >= self.lost_backups.seen_at:
            self.lost_backups = LostBackups(event.count, event.left, event.at)

    def note_rejected_record(self, event: RecordRejected) -> None:
        if len(self.rejected_records) < MAX_RECORDS or event.record in self.rejected_records:
            self.rejected_records[event.record] = RejectedRecord(event.record, event.fault, event.at)

    def forget_status(self) -> None:
        """The bus holds no status any more: it lost its data, and epochs begin anew."""
        self.status, self.status_seen_at = None, None
        self.epochs.clear()

    def add_epoch(self, epoch: int, at: datetime) -> None:
        self.epochs[epoch] = min(at, self.epochs.get(epoch, at))
        while len(self.epochs) > MAX_EPOCHS:
            del self.epochs[min(self.epochs)]

    def takeovers(self) -> tuple[datetime, ...]:
        """When each epoch but the first known was first seen, oldest first."""
        return tuple(sorted(at for _, at in sorted(self.epochs.items())[1:]))

    def note_duplicate_owner(self, status: SessionStatus, now: datetime) -> None:
        """Remember the worker of this status where it is not the owner and acts as if it were."""
        if self.status is None or status.worker == self.status.worker:
            return
        newest = self._newest_epoch(status)
        same_epoch = status.epoch == newest == self.status.epoch
        if same_epoch or status.epoch < newest:
            duplicate = DuplicateOwner(status.worker, now, same_epoch=same_epoch)
            self.duplicate_owners = [*self.duplicate_owners, duplicate][-MAX_DUPLICATE_OWNERS:]

    def is_newer_than(self, status: SessionStatus) -> bool:
        """Whether this status is to be dropped. Statuses of one worker are ordered by their time, others by epoch."""
        if self.status is not None and status.worker == self.status.worker:
            return status.updated_at < self.status.updated_at
        return status.epoch < self._newest_epoch(status)

    def _newest_epoch(self, status: SessionStatus) -> int:
        return max(self.epochs, default=status.epoch)


@dataclass
class _Worker:
    heartbeat: WorkerHeartbeat
    seen_at: datetime
    holding_since: dict[str, datetime]
    """Session → since when the worker's heartbeats name it without a gap."""


class SessionTracker:
    """All that the health service remembers."""

    def __init__(self, default_session: str, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self._sessions: dict[str, _Known] = {default_session: _Known()}
        self._default = default_session
        self._workers: dict[str, _Worker] = {}
        self._backup_replicas: dict[str, BackupReplicaSample] = {}
        self._nats: NatsSample | None = None
        self._gateway: GatewaySample | None = None
        self._slow_consumers: list[tuple[datetime, int]] = []
        self._listening_since: datetime | None = None
        self.event_counts: Counter[tuple[Metric, str]] = Counter()
        """How often each kind of event came since this service started, by metric and label."""

    def bus_back(self, now: datetime) -> None:
        self._listening_since = now

    def bus_lost(self) -> None:
        self._listening_since = None

    def update_nats(self, sample: NatsSample) -> None:
        """NATS tells the slow clients since its start. The new ones are the growth of that total within a window."""
        within = [(at, total) for at, total in self._slow_consumers if sample.seen_at - at <= SLOW_CONSUMERS_WINDOW]
        if not sample.reachable or (within and within[-1][1] > sample.slow_consumers):
            within = []  # the server did not answer or has restarted: its total begins anew
        oldest = within[0][1] if within else sample.slow_consumers
        if sample.reachable:
            self._slow_consumers = [*within, (sample.seen_at, sample.slow_consumers)]
        self._nats = replace(sample, new_slow_consumers=sample.slow_consumers - oldest)

    def update_gateway(self, sample: GatewaySample) -> None:
        """Remember since when the answers are late: one late answer on a busy machine is no news."""
        if sample.seconds is None or sample.seconds > self.thresholds.gateway_answer_seconds:
            before = self._gateway.late_since if self._gateway else None
            sample = replace(sample, late_since=before or sample.seen_at)
        self._gateway = sample

    def update_record(self, session: str, record: SessionRecord | None) -> None:
        known = self._known(session)
        if known is None or (record is not None and known.record is not None and record.is_before(known.record)):
            return
        known.record = record

    def update_status(self, session: str, status: SessionStatus | None, now: datetime, *, live: bool) -> None:
        """Take the newest status of a session; None: the bus holds none any more.

        `live` False: the bus held the status before this service listened.
        """
        known = self._known(session)
        if known is None or status == known.status:
            return
        if status is None:
            known.forget_status()
            return
        seen_at = now if live else min(now, status.updated_at)
        if live:
            known.note_duplicate_owner(status, now)
        if not known.is_newer_than(status):
            known.add_epoch(status.epoch, seen_at)
            known.status, known.status_seen_at = status, seen_at

    def update_worker(self, heartbeat: WorkerHeartbeat, now: datetime) -> None:
        before = self._workers.get(heartbeat.worker)
        silent = timedelta(seconds=self.thresholds.worker_silent_seconds)
        held = before.holding_since if before and now - before.seen_at <= silent else {}
        holding_since = {session: held.get(session, now) for session in heartbeat.sessions}
        self._workers[heartbeat.worker] = _Worker(heartbeat, now, holding_since)
        self._workers = {name: w for name, w in self._workers.items() if now - w.seen_at <= FORGET_AFTER}

    def update_backup_replica(self, heartbeat: BackupHeartbeat, now: datetime) -> None:
        before = self._backup_replicas.get(heartbeat.instance)
        down_since = (before.store_down_since if before else None) or now
        self._backup_replicas[heartbeat.instance] = BackupReplicaSample(
            instance=heartbeat.instance,
            seen_at=now,
            store_ok=heartbeat.store_ok,
            store_error=heartbeat.store_error,
            store_down_since=None if heartbeat.store_ok else down_since,
        )
        self._backup_replicas = {
            name: replica for name, replica in self._backup_replicas.items() if now - replica.seen_at <= FORGET_AFTER
        }

    def apply_event(self, event: Event, *, counted: bool) -> None:
        """`counted` False: the event is older than this service's start and is read again; no counter grows by it."""
        known = self._known(event.session)
        if known is not None:
            match event:
                case StateChanged():
                    known.add_epoch(event.epoch, event.at)
                case BackupsLost():
                    known.note_lost_backups(event)
                case RecordRejected():
                    known.note_rejected_record(event)
                case SessionRestored() | SessionCleared():
                    pass
        metric = _counted_as(event)
        if counted and metric is not None:
            self.event_counts[metric] += 1

    def _known(self, session: str) -> _Known | None:
        if session not in self._sessions:
            if len(self._sessions) >= MAX_SESSIONS or not SESSION_ID.fullmatch(session):
                return None
            self._sessions[session] = _Known()
        return self._sessions[session]

    @property
    def sessions(self) -> tuple[str, ...]:
        """Sessions with a record or a status, in order of name after the default session."""
        others = sorted(
            name
            for name, known in self._sessions.items()
            if name != self._default and (known.status is not None or known.record is not None)
        )
        return (self._default, *others)

    def observe(self, session: str) -> Observation:
        known = self._sessions.get(session, _Known())
        return Observation(
            session=session,
            status=known.status,
            status_seen_at=known.status_seen_at,
            record=known.record,
            workers=tuple(_sample(worker, session) for worker in self._workers.values()),
            backup_replicas=tuple(self._backup_replicas.values()),
            takeovers=known.takeovers(),
            duplicate_owners=tuple(known.duplicate_owners),
            lost_backups=known.lost_backups,
            rejected_records=tuple(known.rejected_records.values()),
            nats=self._nats,
            gateway=self._gateway,
            listening_since=self._listening_since,
            open_since=known.open_since,
        )

    def verdict(self, session: str, now: datetime) -> HealthReport:
        """A fresh verdict. For a tracked session the beginnings of its issues are remembered."""
        observation = self.observe(session)
        report = judge(observation, self.thresholds, now)
        known = self._sessions.get(session)
        if known is not None:
            known.open_since = updated_open_since(observation.open_since, report)
        return report


def _sample(worker: _Worker, session: str) -> WorkerSample:
    return WorkerSample(
        worker=worker.heartbeat.worker,
        seen_at=worker.seen_at,
        free_capacity=worker.heartbeat.free_capacity,
        disk_free_bytes=worker.heartbeat.disk_free_bytes,
        holding_since=worker.holding_since.get(session),
    )


def _counted_as(event: Event) -> tuple[Metric, str] | None:
    """None for what the backup service counts itself."""
    match event:
        case StateChanged(state=state):
            return metrics.SESSION_TRANSITIONS, state
        case SessionRestored(source=source):
            return metrics.SESSION_RESTORES, source
        case SessionCleared():
            return metrics.SESSION_CLEARS, ""
        case BackupsLost() | RecordRejected():
            return None
