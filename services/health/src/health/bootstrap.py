"""The composition root: the only place that knows which adapter stands behind which port."""

from __future__ import annotations

import asyncio
import functools

from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.contracts import subjects
from shared.contracts.health import JUDGE, Judge
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat
from shared.runtime import Metrics, OpsServer, Shutdown, Tasks, configure_logging, get_logger, load_settings

from .adapters.bus_reports import BusReportPublisher
from .adapters.gateway_probe import HttpGatewayProbe
from .adapters.nats_monitor import SystemAccountMonitor
from .domain.measures import MEASURES, metric_values
from .domain.session_tracker import SessionTracker
from .handlers import JudgeHandler
from .runner import Runner
from .settings import HealthSettings

EVENT_HISTORY_SECONDS = 3600.0
"""Events this young are read again at the start: takeovers and what others did to the object store count this long."""

log = get_logger()


async def main(shutdown: Shutdown) -> int:
    """Serve until the shutdown. The ops server is live at once, and ready when the records and statuses were read."""
    settings = load_settings(HealthSettings)
    configure_logging("health", settings.log_level)
    clock, metrics = SystemClock(), Metrics()
    started: list[HealthApp] = []
    ops = OpsServer(
        metrics,
        host=settings.http_host,
        port=settings.http_port,
        token=settings.metrics_token.get_secret_value(),
        ready=lambda: started[0].ready() if started else (False, "the bus has not been reached yet"),
    )
    await ops.start()
    log.info("health_started", ops_port=ops.port)
    bus = await _connected(settings, clock, shutdown)
    if bus is not None:
        app = HealthApp(settings, bus, clock, metrics)
        shutdown.phase("reports", 3.0, app.stop)
        await app.start()
        started.append(app)
        await shutdown.requested.wait()
    shutdown.phase("ops", 1.0, ops.stop)
    return 0


async def _connected(settings: HealthSettings, clock: Clock, shutdown: Shutdown) -> Bus | None:
    """The connected bus, however long that takes; None where the service must stop before."""
    options = settings.bus_options("health")
    connecting = asyncio.create_task(Bus.connect(options, clock=clock, wait_seconds=None))
    stopping = asyncio.create_task(shutdown.requested.wait())
    await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if connecting.done():
        return connecting.result()
    connecting.cancel()
    await asyncio.wait({connecting}, timeout=1.0)
    return None


class HealthApp:
    """All parts of the service, wired together on a connected bus."""

    def __init__(self, settings: HealthSettings, bus: Bus, clock: Clock, metrics: Metrics) -> None:
        self._bus = bus
        self._tasks = Tasks(clock)
        tracker = SessionTracker(settings.client_id, settings.thresholds())
        self._runner = Runner(
            tracker, clock, BusReportPublisher(bus), interval_seconds=settings.health_check_interval_ms / 1000
        )
        self._judge = JudgeHandler(tracker, clock)
        options = settings.monitor_options()
        self._monitor = SystemAccountMonitor(options, clock) if options else None
        self._gateway = HttpGatewayProbe(settings.gateway_url, clock) if settings.gateway_url else None
        metrics.watch_bus(bus)
        metrics.computed(MEASURES, lambda: metric_values(tracker, clock.now()))

    async def start(self) -> None:
        await self._listen()
        self._tasks.spawn("reports", self._runner.report_forever)
        if self._monitor is not None:
            self._tasks.spawn("nats_monitor", functools.partial(self._runner.sample_nats_forever, self._monitor))
        if self._gateway is not None:
            self._tasks.spawn("gateway_probe", functools.partial(self._runner.sample_gateway_forever, self._gateway))

    async def stop(self) -> None:
        await self._tasks.stop()
        if self._gateway is not None:
            await self._gateway.close()
        if self._monitor is not None:
            await self._monitor.close()
        await self._bus.drain(timeout=1.0)

    def ready(self) -> tuple[bool, str]:
        return self._runner.ready() if self._bus.connected else (False, "the bus is lost")

    async def _listen(self) -> None:
        bus, runner = self._bus, self._runner
        bus.on_lost(runner.bus_lost)
        bus.on_back(runner.bus_back)
        if bus.connected:
            runner.bus_back()
        records = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
        statuses = bus.bucket(subjects.STATUS_BUCKET, SessionStatus)
        await records.watch(runner.on_record, on_ready=runner.ready_with("records"))
        await statuses.watch(runner.on_status, on_ready=runner.ready_with("statuses"))
        await bus.subscribe(subjects.WORKER_HEARTBEATS, WorkerHeartbeat, runner.on_worker_heartbeat)
        await bus.subscribe(subjects.BACKUP_HEARTBEATS, BackupHeartbeat, runner.on_backup_heartbeat)
        await bus.watch_events(runner.on_event, since_seconds=EVENT_HISTORY_SECONDS)
        await bus.serve(subjects.command(JUDGE, "*"), Judge, self._judge.judge, queue=subjects.HEALTH_QUEUE)
