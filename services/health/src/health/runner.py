"""Feeds what the bus says into the tracker, and publishes a report when a verdict changes or the interval has passed.

The trap: time alone changes verdicts, because a missing heartbeat is news too. All sessions are therefore judged every
second, not only when something arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from shared.clock import Clock
from shared.contracts.health import HealthReport
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat
from shared.runtime import get_logger

from .domain.session_tracker import Event, SessionTracker
from .domain.verdict import fingerprint
from .ports import GatewayProbe, NatsMonitor, ReportPublisher

TICK_SECONDS = 1.0
MIN_PAUSE_SECONDS = 0.05
"""Between two rounds, so that many changes at once become one round."""
NATS_SAMPLE_SECONDS = 5.0
GATEWAY_SAMPLE_SECONDS = 5.0
SESSIONS_PER_SLICE = 50
"""Sessions judged before other tasks of the event loop get their turn."""

log = get_logger()
_EVENT_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Runner:
    """All methods belong to one event loop."""

    def __init__(
        self, tracker: SessionTracker, clock: Clock, publisher: ReportPublisher, *, interval_seconds: float
    ) -> None:
        self._tracker = tracker
        self._clock = clock
        self._publisher = publisher
        self._interval = interval_seconds
        self._started_at = clock.now()
        self._wake = asyncio.Event()
        self._reported: dict[str, tuple[tuple[object, ...], float]] = {}
        """Session → fingerprint of the newest report, and when it was published (monotonic seconds)."""
        self._read_whole = {"records": False, "statuses": False}

    def bus_back(self) -> None:
        self._tracker.bus_back(self._clock.now())
        log.info("bus_listening")
        self._wake.set()

    def bus_lost(self) -> None:
        self._tracker.bus_lost()
        self._read_whole = dict.fromkeys(self._read_whole, False)
        self._wake.set()

    def ready_with(self, what: str) -> Callable[[], None]:
        """A function to call when all present `what` (records or statuses) have been read."""

        def ready() -> None:
            self._read_whole[what] = True
            self._wake.set()

        return ready

    def on_record(self, session: str, record: SessionRecord | None) -> None:
        self._tracker.update_record(session, record)
        self._wake.set()

    def on_status(self, session: str, status: SessionStatus | None) -> None:
        self._tracker.update_status(session, status, self._clock.now(), live=self._read_whole["statuses"])
        self._wake.set()

    def on_worker_heartbeat(self, heartbeat: WorkerHeartbeat, _: str) -> None:
        self._tracker.update_worker(heartbeat, self._clock.now())

    def on_backup_heartbeat(self, heartbeat: BackupHeartbeat, _: str) -> None:
        self._tracker.update_backup_replica(heartbeat, self._clock.now())

    def on_event(self, data: bytes, _: str) -> None:
        """Skip events that this version does not know."""
        try:
            event = _EVENT_DECODER.decode(data)
        except (msgspec.ValidationError, msgspec.DecodeError):
            return
        self._tracker.apply_event(event, counted=event.at >= self._started_at)

    def ready(self) -> tuple[bool, str]:
        missing = [what for what, whole in self._read_whole.items() if not whole]
        return not missing, f"not read yet: {', '.join(missing)}" if missing else ""

    async def report_forever(self) -> None:
        while True:
            await self._next_round()
            await self.report_round()
            await self._clock.sleep(MIN_PAUSE_SECONDS)

    async def report_round(self) -> None:
        """Judge every session and publish the reports that are news or due."""
        sessions = self._tracker.sessions
        for done, session in enumerate(sessions, start=1):
            report = self._tracker.verdict(session, self._clock.now())
            if self._is_news_or_due(report):
                await self._publisher.publish(report)
            if done % SESSIONS_PER_SLICE == 0:
                await asyncio.sleep(0)
        self._reported = {name: reported for name, reported in self._reported.items() if name in sessions}

    async def sample_nats_forever(self, monitor: NatsMonitor) -> None:
        while True:
            self._tracker.update_nats(await monitor.sample())
            await self._clock.sleep(NATS_SAMPLE_SECONDS)

    async def sample_gateway_forever(self, probe: GatewayProbe) -> None:
        while True:
            self._tracker.update_gateway(await probe.sample())
            await self._clock.sleep(GATEWAY_SAMPLE_SECONDS)

    def _is_news_or_due(self, report: HealthReport) -> bool:
        now = self._clock.monotonic()
        before, published_at = self._reported.get(report.session, ((), float("-inf")))
        present = fingerprint(report)
        if present == before and now - published_at < self._interval:
            return False
        self._reported[report.session] = (present, now)
        if before and present[0] != before[0]:
            log.info("verdict_changed", session=report.session, overall=report.overall, before=before[0])
        return True

    async def _next_round(self) -> None:
        """Wait for something new, at most TICK_SECONDS."""
        try:
            async with asyncio.timeout(TICK_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
