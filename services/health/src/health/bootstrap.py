"""The composition root: the only place that knows which adapter stands behind which port."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.contracts import subjects
from shared.contracts.health import Judge
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat
from shared.runtime import Metrics, OpsServer, Shutdown, Tasks, configure_logging, get_logger, load_settings

from .adapters.bus_readers import BusReaders
from .adapters.nats_monitor import HttpNatsMonitor
from .adapters.prometheus import WatchCollector
from .domain.documents import checks_document, metrics_document
from .domain.watching import Watch
from .handlers import JudgeHandler
from .runner import Runner
from .settings import HealthSettings

REMEMBERED_SECONDS = 600.0
"""Events read again at the start: takeovers are counted within this time."""

log = get_logger()


async def main(shutdown: Shutdown) -> int:
    settings = load_settings(HealthSettings)
    configure_logging("health", settings.log_level)
    clock = SystemClock()
    connecting = asyncio.create_task(
        Bus.connect(settings.bus_options("health"), clock=clock, wait_seconds=None), name="connect"
    )
    asking = asyncio.create_task(shutdown.requested.wait(), name="stop")
    await asyncio.wait({connecting, asking}, return_when=asyncio.FIRST_COMPLETED)
    asking.cancel()
    if not connecting.done():
        connecting.cancel()
        return 0
    service = HealthService(settings, await connecting, clock)
    shutdown.phase("reports", 2.0, service.stop)
    await service.start()
    await shutdown.requested.wait()
    return 0


class HealthService:
    """Everything wired together, on a connected bus."""

    def __init__(self, settings: HealthSettings, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._tasks = Tasks(clock)
        self._watch = Watch(settings.client_id, settings.thresholds())
        self._runner = Runner(
            self._watch, clock, BusReaders(bus), interval_seconds=settings.health_check_interval_ms / 1000
        )
        self._judge = JudgeHandler(self._watch, clock)
        self._monitor = HttpNatsMonitor(settings.nats_monitor_url, clock) if settings.nats_monitor_url else None
        metrics = Metrics()
        metrics.watch_bus(bus)
        metrics.registry.register(WatchCollector(self._watch, clock))
        self._ops = OpsServer(metrics, host=settings.http_host, port=settings.http_port, ready=self._ready)

    @property
    def ops_port(self) -> int:
        return self._ops.port

    async def start(self) -> None:
        await self._ops.start()
        await self._listen()
        self._tasks.spawn("reports", self._runner.report_forever)
        if self._monitor is not None:
            monitor = self._monitor
            self._tasks.spawn("nats_monitor", lambda: self._runner.look_forever(monitor))
        log.info("health_started", ops_port=self._ops.port)

    async def stop(self) -> None:
        await self._tasks.stop()
        if self._monitor is not None:
            await self._monitor.close()
        await self._bus.drain(timeout=1.0)
        await self._ops.stop()

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
        await bus.subscribe(subjects.WORKER_HEARTBEATS, WorkerHeartbeat, runner.on_worker)
        await bus.subscribe(subjects.BACKUP_HEARTBEATS, BackupHeartbeat, runner.on_store)
        await bus.watch_events(runner.on_event, since_seconds=REMEMBERED_SECONDS)
        await bus.serve(subjects.command(subjects.JUDGE, "*"), Judge, self._judge.judge, queue=subjects.HEALTH_QUEUE)

    def _ready(self) -> tuple[bool, str]:
        return self._runner.ready() if self._bus.connected else (False, "the bus is lost")


def write_documents(folder: Path) -> None:
    """Write the documents that are made from the tables."""
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


def documents() -> dict[str, str]:
    """File name → text."""
    return {"metrics.md": metrics_document(), "health-checks.md": checks_document()}
