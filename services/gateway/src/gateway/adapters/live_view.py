"""The observed view shared by the bus thread, which writes, and the request threads, which read and wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gateway.domain.observed import Facts, Observed
from shared.clock import Clock
from shared.contracts.health import HealthReport
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.telemetry import WorkerHeartbeat


class LiveView:
    """Implements ports.View. The trap: a worker that falls silent sends nothing, so `look_around` must be called
    regularly for readers to notice."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._observed = Observed()
        self._changed = threading.Condition()
        self._version = 0
        self._presence: object = None
        self._waiting_for = {"sessions", "statuses"}
        self._bus_connected = False
        self._trouble = "connecting to NATS"
        self._stopping = False

    # what readers see

    def facts(self, session: str) -> Facts:
        with self._changed:
            return self._observed.facts(session, self._clock.monotonic())

    def sessions(self) -> list[str]:
        with self._changed:
            return self._observed.sessions()

    def ready(self) -> tuple[bool, str]:
        if self._stopping:
            return False, "stopping"
        if not self._bus_connected:
            return False, self._trouble
        return (True, "") if self.loaded else (False, "reading the sessions")

    @property
    def bus_connected(self) -> bool:
        return self._bus_connected

    @property
    def loaded(self) -> bool:
        return not self._waiting_for

    def version(self) -> int:
        return self._version

    def wait(self, seen: int, timeout: float) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen or self._stopping, timeout)
            return self._version

    @property
    def stopping(self) -> bool:
        return self._stopping

    # what the bus thread tells

    def record_changed(self, session: str, record: SessionRecord | None) -> None:
        self._tell(lambda: self._observed.put_record(session, record))

    def status_changed(self, session: str, status: SessionStatus | None) -> None:
        self._tell(lambda: self._observed.put_status(session, status, self._clock.monotonic()))

    def report_heard(self, report: HealthReport) -> None:
        self._tell(lambda: self._observed.put_report(report, self._clock.monotonic()))

    def heartbeat_heard(self, heartbeat: WorkerHeartbeat) -> None:
        self._tell(lambda: self._observed.put_heartbeat(heartbeat, self._clock.monotonic()))

    def part_loaded(self, part: str) -> None:
        def loaded() -> bool:
            self._waiting_for.discard(part)
            return True

        self._tell(loaded)

    def bus_state(self, *, connected: bool, trouble: str = "") -> None:
        def state() -> bool:
            changed = self._bus_connected != connected
            self._bus_connected, self._trouble = connected, trouble
            return changed

        self._tell(state)

    def look_around(self) -> None:
        """Notice what came by time alone: a worker gone silent, the stop."""
        if self._stopping:
            self._tell(lambda: True)
            return

        def look() -> bool:
            at = self._clock.monotonic()
            presence = [
                (facts.session, facts.owner is not None, facts.status is not None, facts.workers > 0)
                for facts in (self._observed.facts(session, at) for session in self._observed.sessions())
            ]
            changed = presence != self._presence
            self._presence = presence
            return changed

        self._tell(look)

    def stop(self) -> None:
        """Safe in a signal handler: takes no lock; `look_around` wakes the waiters."""
        self._stopping = True

    def _tell(self, change: Callable[[], bool]) -> None:
        with self._changed:
            if change():
                self._version += 1
                self._changed.notify_all()
