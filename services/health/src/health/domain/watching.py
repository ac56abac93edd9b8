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

from shared.contracts.events import (
    BackupFailed,
    BackupStored,
    SessionCleared,
    SessionRestored,
    SnapshotSaved,
    StateChanged,
)
from shared.contracts.health import HealthReport
from shared.contracts.identifiers import SESSION_ID
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat

from .observation import NatsSight, Observation, StoreSight, Usurper, WorkerSight
from .thresholds import Thresholds
from .verdict import judge, remembered

FORGET_AFTER = timedelta(seconds=120)
"""A worker or a backup replica that has been silent this long while others live is gone for good."""
MOST_SESSIONS = 1000
"""Sessions beyond are not watched: a bound for what strange messages can make this service remember."""
SLOW_WINDOW = timedelta(seconds=300)
KEPT_EPOCHS = 64
KEPT_USURPERS = 16

Event = StateChanged | SnapshotSaved | SessionRestored | BackupStored | BackupFailed | SessionCleared


@dataclass
class _Known:
    """What is known of one session. `epochs`: epoch → when it was first seen."""

    status: SessionStatus | None = None
    status_seen_at: datetime | None = None
    record: SessionRecord | None = None
    epochs: dict[int, datetime] = field(default_factory=dict)
    usurpers: list[Usurper] = field(default_factory=list)
    since: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))

    def saw_epoch(self, epoch: int, at: datetime) -> None:
        self.epochs[epoch] = min(at, self.epochs.get(epoch, at))
        while len(self.epochs) > KEPT_EPOCHS:
            del self.epochs[min(self.epochs)]

    def takeovers(self) -> tuple[datetime, ...]:
        """Each epoch but the first one known was a takeover."""
        return tuple(sorted(at for _, at in sorted(self.epochs.items())[1:]))

    def saw_usurper(self, usurper: Usurper) -> None:
        self.usurpers = [*self.usurpers, usurper][-KEPT_USURPERS:]


@dataclass
class _Worker:
    heartbeat: WorkerHeartbeat
    seen_at: datetime
    holds: dict[str, datetime]


class Watch:
    """The memory of the health service."""

    def __init__(self, default_session: str, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self._sessions: dict[str, _Known] = {default_session: _Known()}
        self._default = default_session
        self._workers: dict[str, _Worker] = {}
        self._stores: dict[str, StoreSight] = {}
        self._nats: NatsSight | None = None
        self._slow: list[tuple[datetime, int]] = []
        self._listening_since: datetime | None = None
        self.tally: Counter[tuple[str, str]] = Counter()
        """How often each kind of event came, by metric and label."""

    # what is seen
    def bus_back(self, now: datetime) -> None:
        self._listening_since = now

    def bus_lost(self) -> None:
        self._listening_since = None

    def saw_nats(self, sight: NatsSight) -> None:
        """Slow clients are told as a total since the server's start; what is new is the growth within a window."""
        within = [(at, total) for at, total in self._slow if sight.seen_at - at <= SLOW_WINDOW]
        if not sight.reachable or (within and within[-1][1] > sight.slow_consumers):
            within = []  # the server has started again
        oldest = within[0][1] if within else sight.slow_consumers
        if sight.reachable:
            self._slow = [*within, (sight.seen_at, sight.slow_consumers)]
        self._nats = replace(sight, new_slow_consumers=sight.slow_consumers - oldest)

    def saw_record(self, session: str, record: SessionRecord | None) -> None:
        known = self._known(session)
        if known is not None:
            known.record = record

    def saw_status(self, session: str, status: SessionStatus | None, now: datetime, *, live: bool) -> None:
        """`live` False: a value that was there before this service listened, as old as it says itself."""
        known = self._known(session)
        if known is None or status == known.status:
            return
        if status is None:
            known.status, known.status_seen_at = None, None
            known.epochs.clear()  # a bus that lost its data counts epochs from the beginning
        elif not self._usurped(known, status, now, live=live):
            known.saw_epoch(status.epoch, now if live else min(now, status.updated_at))
            known.status, known.status_seen_at = status, now if live else min(now, status.updated_at)

    def _usurped(self, known: _Known, status: SessionStatus, now: datetime, *, live: bool) -> bool:
        """Note a status that a second owner wrote; True when it is to be dropped."""
        newest = max(known.epochs, default=status.epoch)
        foreign = known.status is not None and known.status.worker != status.worker
        if known.status is not None and not foreign:
            return status.updated_at < known.status.updated_at
        same = status.epoch == newest and known.status is not None and known.status.epoch == newest
        if live and foreign and (same or status.epoch < newest):
            known.saw_usurper(Usurper(status.worker, now, same_epoch=same))
        return status.epoch < newest

    def saw_worker(self, heartbeat: WorkerHeartbeat, now: datetime) -> None:
        before = self._workers.get(heartbeat.worker)
        silent = timedelta(seconds=self.thresholds.worker_silent_seconds)
        held = before.holds if before and now - before.seen_at <= silent else {}
        holds = {session: held.get(session, now) for session in heartbeat.sessions}
        self._workers[heartbeat.worker] = _Worker(heartbeat, now, holds)
        self._workers = {name: w for name, w in self._workers.items() if now - w.seen_at <= FORGET_AFTER}

    def saw_store(self, heartbeat: BackupHeartbeat, now: datetime) -> None:
        before = self._stores.get(heartbeat.instance)
        began = (before.bad_since if before else None) or now
        self._stores[heartbeat.instance] = StoreSight(
            instance=heartbeat.instance,
            seen_at=now,
            store_ok=heartbeat.store_ok,
            store_error=heartbeat.store_error,
            bad_since=None if heartbeat.store_ok else began,
        )
        self._stores = {name: s for name, s in self._stores.items() if now - s.seen_at <= FORGET_AFTER}

    def saw_event(self, event: Event, *, counted: bool) -> None:
        """`counted` False: from before this life of the service, told again; a counter must not grow by it."""
        if isinstance(event, StateChanged):
            known = self._known(event.session)
            if known is not None:
                known.saw_epoch(event.epoch, event.at)
        if counted:
            self.tally[_tallied(event)] += 1

    def _known(self, session: str) -> _Known | None:
        if session not in self._sessions:
            if len(self._sessions) >= MOST_SESSIONS or not SESSION_ID.fullmatch(session):
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
            workers=tuple(_sight(worker, session) for worker in self._workers.values()),
            stores=tuple(self._stores.values()),
            takeovers=known.takeovers(),
            usurpers=tuple(known.usurpers),
            nats=self._nats,
            listening_since=self._listening_since,
            known_since=known.since,
        )

    def verdict(self, session: str, now: datetime) -> HealthReport:
        """A fresh verdict; the beginnings of its issues are remembered for sessions that are watched."""
        observation = self.observe(session)
        report = judge(observation, self.thresholds, now)
        known = self._sessions.get(session)
        if known is not None:
            known.since = remembered(observation.known_since, report)
        return report


def _sight(worker: _Worker, session: str) -> WorkerSight:
    return WorkerSight(
        worker=worker.heartbeat.worker,
        seen_at=worker.seen_at,
        free_capacity=worker.heartbeat.free_capacity,
        disk_free_bytes=worker.heartbeat.disk_free_bytes,
        holding_since=worker.holds.get(session),
    )


def _tallied(event: Event) -> tuple[str, str]:
    match event:
        case StateChanged(state=state):
            return "wa_transitions_total", state
        case SnapshotSaved():
            return "wa_saves_total", ""
        case SessionRestored(source=source):
            return "wa_restores_total", source
        case BackupStored():
            return "wa_backups_stored_total", ""
        case BackupFailed(code=code):
            return "wa_backup_failures_total", code
        case SessionCleared():
            return "wa_clears_total", ""
