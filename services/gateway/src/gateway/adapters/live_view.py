"""The observations shared by two kinds of threads: the bus thread writes, request threads read and wait.

A worker that falls silent sends nothing, so no message ever wakes the readers. `notice_silence` must therefore be
called regularly.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from gateway.domain.observed import Observations, ObservedSession
from shared.clock import Clock
from shared.contracts.health import HealthReport
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.telemetry import WorkerHeartbeat


class LiveView:
    """Implements ports.View."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._observations = Observations()
        self._changed = threading.Condition()
        self._version = 0
        self._presence: object = None
        self._not_loaded = {"sessions", "statuses"}
        self._bus_connected = False
        self._bus_problem = "connecting to NATS"
        self._stopping = False

    # for readers

    def session(self, session: str) -> ObservedSession:
        with self._changed:
            return self._observations.session(session, self._clock.monotonic())

    def sessions(self) -> list[str]:
        with self._changed:
            return self._observations.sessions()

    def ready(self) -> tuple[bool, str]:
        if self._stopping:
            return False, "stopping"
        if not self._bus_connected:
            return False, self._bus_problem
        return (True, "") if self.loaded else (False, "reading the sessions")

    @property
    def bus_connected(self) -> bool:
        return self._bus_connected

    @property
    def loaded(self) -> bool:
        return not self._not_loaded

    def version(self) -> int:
        return self._version

    def wait(self, seen: int, timeout: float) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen or self._stopping, timeout)
            return self._version

    @property
    def stopping(self) -> bool:
        return self._stopping

    # for the bus thread

    def record_changed(self, session: str, record: SessionRecord | None) -> None:
        self._apply(lambda: self._observations.put_record(session, record))

    def status_changed(self, session: str, status: SessionStatus | None) -> None:
        self._apply(lambda: self._observations.put_status(session, status, self._clock.monotonic()))

    def report_received(self, report: HealthReport) -> None:
        self._apply(lambda: self._observations.put_report(report, self._clock.monotonic()))

    def heartbeat_received(self, heartbeat: WorkerHeartbeat) -> None:
        self._apply(lambda: self._observations.put_heartbeat(heartbeat, self._clock.monotonic()))

    def bucket_loaded(self, name: str) -> None:
        def loaded() -> bool:
            self._not_loaded.discard(name)
            return True

        self._apply(loaded)

    def bus_changed(self, *, connected: bool, problem: str = "") -> None:
        def changed() -> bool:
            before = self._bus_connected
            self._bus_connected, self._bus_problem = connected, problem
            return before != connected

        self._apply(changed)

    def notice_silence(self) -> None:
        """Wake the readers for what no message announces: a worker that went silent, a deleted status, the stop."""
        if self._stopping:
            self._apply(lambda: True)
            return

        def presence_changed() -> bool:
            at = self._clock.monotonic()
            observed = (self._observations.session(session, at) for session in self._observations.sessions())
            presence = [
                (each.session, each.owner is not None, each.status is not None, each.workers > 0) for each in observed
            ]
            changed = presence != self._presence
            self._presence = presence
            return changed

        self._apply(presence_changed)

    def wake(self) -> None:
        """Let every waiting reader look again, because of something that is not part of the view."""
        self._apply(lambda: True)

    def stop(self) -> None:
        """Safe in a signal handler, because it takes no lock; `notice_silence` wakes the waiting readers."""
        self._stopping = True

    def _apply(self, change: Callable[[], bool]) -> None:
        with self._changed:
            if change():
                self._version += 1
                self._changed.notify_all()
