"""Everything that has been seen, folded into one Observation a session. No input or output; the time is an argument.

A reader drops a status whose epoch is older than one it has seen; here such a status is also evidence that two owners
are at work. The trap: after a reconnect the bus repeats what is already known, and a repetition is no sign of life.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from shared.contracts import metrics
from shared.contracts.events import (
    SessionCleared,
    SessionRestored,
    SnapshotSaved,
    StateChanged,
)
from shared.contracts.health import HealthReport
from shared.contracts.identifiers import SESSION_ID
from shared.contracts.metrics import Metric
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat

from .observation import Observation
from .samples import BackupReplicaSample, DuplicateOwner, NatsSample, WorkerSample
from .thresholds import Thresholds
from .verdict import judge, updated_open_since

FORGET_AFTER = timedelta(seconds=120)
"""A worker or a backup replica that has been silent this long while others live is gone for good."""
MAX_SESSIONS = 1000
"""Sessions beyond are not watched: a bound for what strange messages can make this service remember."""
SLOW_WINDOW = timedelta(seconds=300)
MAX_EPOCHS = 64
MAX_DUPLICATE_OWNERS = 16

Event = StateChanged | SnapshotSaved | SessionRestored | SessionCleared


@dataclass
class _Known:
    """What is known of one session. `epochs`: epoch → when it was first seen."""

    status: SessionStatus | None = None
    status_seen_at: datetime | None = None
    record: SessionRecord | None = None
    epochs: dict[int, datetime] = field(default_factory=dict)
    duplicate_owners: list[DuplicateOwner] = field(default_factory=list)
    since: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))

    def add_epoch(self, epoch: int, at: datetime) -> None:
        self.epochs[epoch] = min(at, self.epochs.get(epoch, at))
        while len(self.epochs) > MAX_EPOCHS:
            del self.epochs[min(self.epochs)]

    def takeovers(self) -> tuple[datetime, ...]:
        """Each epoch but the first one known was a takeover."""
        return tuple(sorted(at for _, at in sorted(self.epochs.items())[1:]))

    def add_duplicate_owner(self, duplicate: DuplicateOwner) -> None:
        self.duplicate_owners = [*self.duplicate_owners, duplicate][-MAX_DUPLICATE_OWNERS:]


@dataclass
class _Worker:
    heartbeat: WorkerHeartbeat
    seen_at: datetime
    holds: dict[str, datetime]


class SessionTracker:
    """The memory of the health service."""

    def __init__(self, default_session: str, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self._sessions: dict[str, _Known] = {default_session: _Known()}
        self._default = default_session
        self._workers: dict[str, _Worker] = {}
        self._backup_replicas: dict[str, BackupReplicaSample] = {}
        self._nats: NatsSample | None = None
        self._slow: list[tuple[datetime, int]] = []
        self._listening_since: datetime | None = None
        self.event_counts: Counter[tuple[Metric, str]] = Counter()
        """How often each kind of event came, by metric and label."""

    # what is seen
    def bus_back(self, now: datetime) -> None:
        self._listening_since = now

    def bus_lost(self) -> None:
        self._listening_since = None

    def update_nats(self, sample: NatsSample) -> None:
        """Slow clients are told as a total since the server's start; what is new is the growth within a window."""
        within = [(at, total) for at, total in self._slow if sample.seen_at - at <= SLOW_WINDOW]
        if not sample.reachable or (within and within[-1][1] > sample.slow_consumers):
            within = []  # the server has started again
        oldest = within[0][1] if within else sample.slow_consumers
        if sample.reachable:
            self._slow = [*within, (sample.seen_at, sample.slow_consumers)]
        self._nats = replace(sample, new_slow_consumers=sample.slow_consumers - oldest)

    def update_record(self, session: str, record: SessionRecord | None) -> None:
        known = self._known(session)
        if known is not None:
            known.record = record

    def update_status(self, session: str, status: SessionStatus | None, now: datetime, *, live: bool) -> None:
        """`live` False: a value that was there before this service listened, as old as it says itself."""
        known = self._known(session)
        if known is None or status == known.status:
            return
        if status is None:
            known.status, known.status_seen_at = None, None
            known.epochs.clear()  # a bus that lost its data counts epochs from the beginning
        elif not self._rejects(known, status, now, live=live):
            known.add_epoch(status.epoch, now if live else min(now, status.updated_at))
            known.status, known.status_seen_at = status, now if live else min(now, status.updated_at)

    def _rejects(self, known: _Known, status: SessionStatus, now: datetime, *, live: bool) -> bool:
        """Note a status that a second owner wrote; True when it is to be dropped."""
        newest = max(known.epochs, default=status.epoch)
        foreign = known.status is not None and known.status.worker != status.worker
        if known.status is not None and not foreign:
            return status.updated_at < known.status.updated_at
        same = status.epoch == newest and known.status is not None and known.status.epoch == newest
        if live and foreign and (same or status.epoch < newest):
            known.add_duplicate_owner(DuplicateOwner(status.worker, now, same_epoch=same))
        return status.epoch < newest

    def update_worker(self, heartbeat: WorkerHeartbeat, now: datetime) -> None:
        before = self._workers.get(heartbeat.worker)
        silent = timedelta(seconds=self.thresholds.worker_silent_seconds)
        held = before.holds if before and now - before.seen_at <= silent else {}
        holds = {session: held.get(session, now) for session in heartbeat.sessions}
        self._workers[heartbeat.worker] = _Worker(heartbeat, now, holds)
        self._workers = {name: w for name, w in self._workers.items() if now - w.seen_at <= FORGET_AFTER}

    def update_backup_replica(self, heartbeat: BackupHeartbeat, now: datetime) -> None:
        before = self._backup_replicas.get(heartbeat.instance)
        began = (before.store_down_since if before else None) or now
        self._backup_replicas[heartbeat.instance] = BackupReplicaSample(
            instance=heartbeat.instance,
            seen_at=now,
            store_ok=heartbeat.store_ok,
            store_error=heartbeat.store_error,
            store_down_since=None if heartbeat.store_ok else began,
        )
        self._backup_replicas = {
            name: s for name, s in self._backup_replicas.items() if now - s.seen_at <= FORGET_AFTER
        }

    def apply_event(self, event: Event, *, counted: bool) -> None:
        """`counted` False: from before this life of the service, told again; a counter must not grow by it."""
        if isinstance(event, StateChanged):
            known = self._known(event.session)
            if known is not None:
                known.add_epoch(event.epoch, event.at)
        if counted:
            self.event_counts[_counted_as(event)] += 1

    def _known(self, session: str) -> _Known | None:
        if session not in self._sessions:
            if len(self._sessions) >= MAX_SESSIONS or not SESSION_ID.fullmatch(session):
                return None
            self._sessions[session] = _Known()
        return self._sessions[session]

    # what follows from it
    @property
    def sessions(self) -> tuple[str, ...]:
        """Those that are wanted or seen, the default one first."""
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
            nats=self._nats,
            listening_since=self._listening_since,
            open_since=known.since,
        )

    def verdict(self, session: str, now: datetime) -> HealthReport:
        """A fresh verdict; the beginnings of its issues are updated_open_since for sessions that are watched."""
        observation = self.observe(session)
        report = judge(observation, self.thresholds, now)
        known = self._sessions.get(session)
        if known is not None:
            known.since = updated_open_since(observation.open_since, report)
        return report


def _sample(worker: _Worker, session: str) -> WorkerSample:
    return WorkerSample(
        worker=worker.heartbeat.worker,
        seen_at=worker.seen_at,
        free_capacity=worker.heartbeat.free_capacity,
        disk_free_bytes=worker.heartbeat.disk_free_bytes,
        holding_since=worker.holds.get(session),
    )


def _counted_as(event: Event) -> tuple[Metric, str]:
    match event:
        case StateChanged(state=state):
            return metrics.SESSION_TRANSITIONS, state
        case SnapshotSaved():
            return metrics.SESSION_SAVES, ""
        case SessionRestored(source=source):
            return metrics.SESSION_RESTORES, source
        case SessionCleared():
            return metrics.SESSION_CLEARS, ""
