"""What the gateway has observed of sessions, workers and verdicts, held in memory.

Two rules decide whom the gateway believes. The epoch guard drops a status from a worker that lost its lease: its epoch
is older than the newest one seen. It yields only where the epochs themselves began anew, because NATS lost its data and
the holder of the newest epoch has fallen silent. The silence rule says when a worker counts as gone: after three missed
heartbeats. A status may therefore outlive its worker, and whoever reads one asks `ObservedSession.owner` first.

The module knows no bus, no lock and no wall clock. `at` is always the gateway's own monotonic time in seconds, because
the clocks of other machines decide nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from gateway.domain.request_errors import WorkerGone
from shared.contracts.errors import NotConnected
from shared.contracts.health import HealthReport
from shared.contracts.sessions import DesiredState, Reason, SessionRecord, SessionStatus, State
from shared.contracts.telemetry import WorkerHeartbeat

T = TypeVar("T")

WORKER_SILENCE_SECONDS = 6.0
"""Three missed heartbeats: the worker counts as gone."""
NEWEST_EPOCH_SILENCE_SECONDS = 15.0
"""How long the holder of the newest epoch must be silent before an older epoch is believed."""
DELETED_STATUS_SECONDS = 15.0
"""How long a deleted status is still shown: after a restart of NATS the worker writes it again within seconds."""
REPORT_SECONDS = 120.0
"""A verdict older than this says nothing about now."""
FORGET_WORKER_SECONDS = 300.0


@dataclass(frozen=True)
class ObservedSession:
    """All that is known about one session at one moment. `owner` is the heartbeat of its live worker, or None when that
    worker is gone; `workers` counts all live workers."""

    session: str
    record: SessionRecord | None = None
    status: SessionStatus | None = None
    report: HealthReport | None = None
    owner: WorkerHeartbeat | None = None
    workers: int = 0

    @property
    def known(self) -> bool:
        return self.record is not None or self.status is not None

    @property
    def state(self) -> State:
        """The state as last observed; STOPPED when nobody ever reported a state."""
        return State.read(self.status.state) if self.status else State.STOPPED

    @property
    def connected(self) -> bool:
        """Connected, as the present owner reports. What an earlier owner reported no longer counts."""
        return self._reported_by_owner and self.status is not None and self.status.state == State.CONNECTED

    def require_some_worker(self) -> None:
        """Raises WorkerGone when no worker is alive at all."""
        if self.workers == 0:
            raise WorkerGone(
                "no worker is running", hint="the request is kept and carried out as soon as a browser worker starts"
            )

    def require_owner(self) -> ObservedSession:
        """The session itself, which a live worker owns. Raises WorkerGone, NotConnected."""
        if self.owner is not None:
            return self
        desired = self.record.desired if self.record else None
        if self.workers and self.status is None and desired != DesiredState.RUNNING:
            raise NotConnected("the session is not running", hint="initialize it first")
        raise owner_gone()

    def require_connected(self) -> ObservedSession:
        """The session itself, which its live owner reports as connected. Raises WorkerGone, NotConnected."""
        if not self.require_owner().connected:
            elsewhere = self.status is not None and self.status.reason == Reason.PAGE_ELSEWHERE
            raise NotConnected(
                f"the session is not connected to WhatsApp (state: {self.state})",
                code=Reason.PAGE_ELSEWHERE if elsewhere else "",
                hint=(self.status.detail if self.status else "") or "initialize it and link a phone",
            )
        return self

    @property
    def _reported_by_owner(self) -> bool:
        return self.owner is not None and self.status is not None and self.status.worker == self.owner.worker


def owner_gone() -> WorkerGone:
    return WorkerGone(
        "the worker that owns the session does not answer",
        hint="another worker takes over within seconds; if not, see the browser worker's log",
    )


@dataclass(frozen=True)
class _ReceivedHeartbeat:
    heartbeat: WorkerHeartbeat
    at: float


@dataclass(frozen=True)
class _ReceivedReport:
    report: HealthReport
    at: float


class Observations:
    """Everything observed. Not safe for threads: the holder locks. Every `put_*` says whether a reader would notice."""

    def __init__(self) -> None:
        self._records: dict[str, SessionRecord] = {}
        self._statuses: dict[str, SessionStatus] = {}
        self._deleted_at: dict[str, float] = {}
        self._reports: dict[str, _ReceivedReport] = {}
        self._heartbeats: dict[str, _ReceivedHeartbeat] = {}

    def put_record(self, session: str, record: SessionRecord | None) -> bool:
        held = self._records.get(session)
        if record is not None and held is not None and record.is_before(held):
            return False
        return _put(self._records, session, record)

    def put_status(self, session: str, status: SessionStatus | None, at: float) -> bool:
        held = self._statuses.get(session)
        if status is None:
            self._deleted_at.setdefault(session, at)
            return held is not None
        if held is not None and not self._believes(held, status, at):
            return False
        was_deleted = self._deleted_at.pop(session, None) is not None
        self._statuses[session] = status
        return was_deleted or held != status

    def put_report(self, report: HealthReport, at: float) -> bool:
        held = self._reports.get(report.session)
        self._reports[report.session] = _ReceivedReport(report, at)
        return held is None or held.report != report

    def put_heartbeat(self, heartbeat: WorkerHeartbeat, at: float) -> bool:
        """True when this worker was not alive before or owns other sessions now; new figures alone are no news."""
        held = self._heartbeats.get(heartbeat.worker)
        self._heartbeats[heartbeat.worker] = _ReceivedHeartbeat(heartbeat, at)
        self._forget_old_workers(at)
        return held is None or not _alive(held, at) or held.heartbeat.sessions != heartbeat.sessions

    def sessions(self) -> list[str]:
        return sorted(self._records.keys() | (self._statuses.keys() - self._deleted_at.keys()))

    def session(self, session: str, at: float) -> ObservedSession:
        status = self._statuses.get(session)
        if at - self._deleted_at.get(session, at) > DELETED_STATUS_SECONDS:
            status = None
        received = self._reports.get(session)
        return ObservedSession(
            session=session,
            record=self._records.get(session),
            status=status,
            report=received.report if received and at - received.at <= REPORT_SECONDS else None,
            owner=self._owner(session, status, at),
            workers=sum(_alive(each, at) for each in self._heartbeats.values()),
        )

    def _owner(self, session: str, status: SessionStatus | None, at: float) -> WorkerHeartbeat | None:
        """The live worker whose claim on the session is the newest, because a killed worker counts as alive for some
        seconds more. When no worker claims the session, the live worker that reported its status."""
        alive = [each for each in self._heartbeats.values() if _alive(each, at)]
        claiming = [each for each in alive if session in each.heartbeat.sessions]
        reporting = [each for each in alive if status is not None and status.worker == each.heartbeat.worker]
        newest = max(claiming or reporting, key=lambda each: each.at, default=None)
        return newest.heartbeat if newest else None

    def _believes(self, held: SessionStatus, new: SessionStatus, at: float) -> bool:
        """The epoch guard. An older epoch comes from a worker that lost its lease. Two cases are different, because the
        epochs began anew when NATS lost its data: the sender is the holder of the newer epoch itself, or that holder
        has long been silent and the sender is alive."""
        if new.worker == held.worker:
            return (new.epoch, new.sequence) >= (held.epoch, held.sequence) or new.updated_at > held.updated_at
        if new.epoch >= held.epoch:
            return True
        holder = self._heartbeats.get(held.worker)
        holder_silent = holder is None or at - holder.at > NEWEST_EPOCH_SILENCE_SECONDS
        sender = self._heartbeats.get(new.worker)
        return holder_silent and sender is not None and _alive(sender, at)

    def _forget_old_workers(self, at: float) -> None:
        old = [name for name, received in self._heartbeats.items() if at - received.at > FORGET_WORKER_SECONDS]
        for name in old:
            del self._heartbeats[name]


def _alive(received: _ReceivedHeartbeat, at: float) -> bool:
    return at - received.at < WORKER_SILENCE_SECONDS


def _put(held: dict[str, T], key: str, value: T | None) -> bool:
    if value is None:
        return held.pop(key, None) is not None
    before = held.get(key)
    held[key] = value
    return before != value
