"""What the gateway has seen of sessions, workers and verdicts, held in memory.

Knows the epoch guard and when a worker counts as gone. Knows no bus, no lock, no wall clock: `at` is always the
gateway's own monotonic time in seconds, because the clocks of other machines decide nothing here.
The trap: a status in the view may be that of a worker which died; ask `Facts.owner` before believing it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from shared.contracts.health import HealthReport
from shared.contracts.sessions import SessionRecord, SessionStatus, State
from shared.contracts.telemetry import WorkerHeartbeat

T = TypeVar("T")

WORKER_SILENCE_SECONDS = 6.0
"""Three missed heartbeats: the worker counts as gone."""
EPOCH_PATIENCE_SECONDS = 15.0
"""How long the holder of the newest epoch must be silent before an older epoch is believed (NATS lost its data)."""
DELETED_SECONDS = 15.0
"""A status that vanished is shown for so long: when NATS restarts, its worker writes it again within seconds."""
REPORT_SECONDS = 120.0
"""A verdict older than this says nothing about now."""
FORGET_WORKER_SECONDS = 300.0


@dataclass(frozen=True)
class Facts:
    """All that is known about one session at one moment. `owner` is the heartbeat of its live worker, None when that
    worker is gone; `workers` counts all live ones."""

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
        """The state as last observed; STOPPED when nobody ever reported one."""
        return State.read(self.status.state) if self.status else State.STOPPED

    @property
    def connected(self) -> bool:
        """Connected, by the word of a worker that is alive now: what the one before the present owner said is over."""
        return self._by_owner and self.state is State.CONNECTED

    @property
    def _by_owner(self) -> bool:
        return self.owner is not None and self.status is not None and self.status.worker == self.owner.worker


@dataclass(frozen=True)
class _Beat:
    heartbeat: WorkerHeartbeat
    at: float


@dataclass(frozen=True)
class _Verdict:
    report: HealthReport
    at: float


class Observed:
    """The view itself. Not safe for threads: its holder locks. Every `put_*` says whether a reader would notice."""

    def __init__(self) -> None:
        self._records: dict[str, SessionRecord] = {}
        self._statuses: dict[str, SessionStatus] = {}
        self._vanished: dict[str, float] = {}
        self._verdicts: dict[str, _Verdict] = {}
        self._beats: dict[str, _Beat] = {}

    def put_record(self, session: str, record: SessionRecord | None) -> bool:
        return _put(self._records, session, record)

    def put_status(self, session: str, status: SessionStatus | None, at: float) -> bool:
        held = self._statuses.get(session)
        if status is None:
            self._vanished.setdefault(session, at)
            return held is not None
        if held is not None and not self._believes(held, status, at):
            return False
        vanished = self._vanished.pop(session, None) is not None
        self._statuses[session] = status
        return vanished or held != status

    def put_report(self, report: HealthReport, at: float) -> bool:
        held = self._verdicts.get(report.session)
        self._verdicts[report.session] = _Verdict(report, at)
        return held is None or held.report != report

    def put_heartbeat(self, heartbeat: WorkerHeartbeat, at: float) -> bool:
        """True when this worker was not alive before; figures alone are no news."""
        held = self._beats.get(heartbeat.worker)
        self._beats[heartbeat.worker] = _Beat(heartbeat, at)
        self._forget(at)
        return held is None or not _alive(held, at) or held.heartbeat.sessions != heartbeat.sessions

    def sessions(self) -> list[str]:
        return sorted(self._records.keys() | (self._statuses.keys() - self._vanished.keys()))

    def facts(self, session: str, at: float) -> Facts:
        status = self._statuses.get(session)
        if at - self._vanished.get(session, at) > DELETED_SECONDS:
            status = None
        verdict = self._verdicts.get(session)
        return Facts(
            session=session,
            record=self._records.get(session),
            status=status,
            report=verdict.report if verdict and at - verdict.at <= REPORT_SECONDS else None,
            owner=self._owner(session, status, at),
            workers=sum(_alive(beat, at) for beat in self._beats.values()),
        )

    def _owner(self, session: str, status: SessionStatus | None, at: float) -> WorkerHeartbeat | None:
        """The newest to claim the session, for one that was killed counts as alive for some seconds more; when none
        claims it, the one that reported it."""
        alive = [beat for beat in self._beats.values() if _alive(beat, at)]
        claiming = [beat for beat in alive if session in beat.heartbeat.sessions]
        reporting = [beat for beat in alive if status is not None and status.worker == beat.heartbeat.worker]
        newest = max(claiming or reporting, key=lambda beat: beat.at, default=None)
        return newest.heartbeat if newest else None

    def _believes(self, held: SessionStatus, new: SessionStatus, at: float) -> bool:
        """The epoch guard. An older epoch is a worker that lost its lease, unless the holder of the newer one has long
        been silent, or is itself the sender: then the lease's counter was lost with NATS's data and began anew."""
        if new.epoch >= held.epoch:
            return True
        if new.worker == held.worker:
            return new.updated_at > held.updated_at
        beat = self._beats.get(held.worker)
        silent = beat is None or at - beat.at > EPOCH_PATIENCE_SECONDS
        successor = self._beats.get(new.worker)
        return silent and successor is not None and _alive(successor, at)

    def _forget(self, at: float) -> None:
        for name in [name for name, beat in self._beats.items() if at - beat.at > FORGET_WORKER_SECONDS]:
            del self._beats[name]


def _alive(beat: _Beat, at: float) -> bool:
    return at - beat.at < WORKER_SILENCE_SECONDS


def _put(held: dict[str, T], key: str, value: T | None) -> bool:
    if value is None:
        return held.pop(key, None) is not None
    before = held.get(key)
    held[key] = value
    return before != value
