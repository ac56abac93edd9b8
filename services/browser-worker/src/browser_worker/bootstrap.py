"""The worker's composition root: the only place that knows concrete classes."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import psutil

from browser_worker.adapters.backup_client import BusBackupService
from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.adapters.browser.confinement import Confinement
from browser_worker.adapters.browser.driver import Driver
from browser_worker.adapters.browser.page_scripts import BadBundle
from browser_worker.adapters.browser.watchdog import Watchdog
from browser_worker.adapters.browser.watchdog_program import TICK_SECONDS
from browser_worker.adapters.durable_record_file import DurableRecordFile
from browser_worker.adapters.outbox_sqlite import SqliteOutbox
from browser_worker.adapters.profile.paths import ProfilePaths
from browser_worker.adapters.profile.store import DiskProfileStore
from browser_worker.adapters.worker_metrics import ServedWorkerMetrics
from browser_worker.domain.budgets import END_SECONDS, STOP_MARGIN, kill_after
from browser_worker.domain.debounce import Debounce
from browser_worker.domain.ladder import Budget
from browser_worker.handlers import SessionCommands
from browser_worker.ports import SessionControl, WorkerMetrics
from browser_worker.runner.dependencies import Dependencies, Times
from browser_worker.runner.worker import Worker
from browser_worker.runner.worker_dependencies import WorkerDependencies
from browser_worker.settings import WorkerSettings
from shared.browsers import NoBrowser
from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.contracts import subjects
from shared.contracts.errors import ServiceError
from shared.contracts.message import Message
from shared.contracts.sessions import LeaseRecord, SessionRecord, SessionStatus
from shared.contracts.telemetry import WorkerHeartbeat
from shared.contracts.units import MEGABYTE
from shared.runtime import Metrics, OpsServer, Shutdown, configure_logging, get_logger, load_settings

log = get_logger()


async def main(shutdown: Shutdown) -> int:
    settings = load_settings(WorkerSettings)
    configure_logging("browser-worker", settings.log_level)
    clock = SystemClock()
    metrics = Metrics()
    bus = await Bus.connect(settings.bus_options("browser-worker"), clock=clock, wait_seconds=None)
    metrics.watch_bus(bus)
    guard = Watchdog(limit=_watchdog_limit(settings), clock=clock, age=lambda: worker.doubt())
    worker_metrics = ServedWorkerMetrics(metrics)
    worker = _worker(settings, bus, clock, guard, worker_metrics)
    worker_metrics.watch_sessions(lambda: len(worker.owned), settings.worker_max_sessions)
    ops = OpsServer(
        metrics,
        host=settings.http_host,
        port=settings.http_port,
        token=settings.metrics_token.get_secret_value(),
        ready=lambda: (bus.connected, "" if bus.connected else "the bus is lost"),
    )
    shutdown.phase("sessions", _stop_seconds(settings), worker.stop)
    shutdown.phase("watchdog", 2.0, guard.stop)
    shutdown.phase("bus", 2.0, bus.drain)
    shutdown.phase("ops", 1.0, ops.stop)
    await ops.start()
    await worker.start()
    log.info("worker_started", capacity=settings.worker_max_sessions, lease_policy=settings.lease_policy)
    await shutdown.requested.wait()
    return 0


def _stop_seconds(settings: WorkerSettings) -> float:
    return settings.stop_budget_ms / 1000 + STOP_MARGIN


def _watchdog_limit(settings: WorkerSettings) -> float:
    """Seconds that this process may hang before the watchdog kills its browsers: the lease has not passed on by then.
    The browsers of a lone worker are killed only when the worker is gone, which 0 means."""
    return kill_after(settings.lease_ttl_ms / 1000, TICK_SECONDS) if settings.lease_policy == "fence" else 0.0


def _worker(settings: WorkerSettings, bus: Bus, clock: Clock, guard: Watchdog, metrics: WorkerMetrics) -> Worker:
    sessions = _Sessions(settings, bus, clock, guard, metrics)
    sessions.check()

    async def heartbeat(message: WorkerHeartbeat) -> None:
        await bus.publish(subjects.telemetry("browser-worker", "heartbeat", settings.instance), message)

    return Worker(
        WorkerDependencies(
            worker=settings.instance,
            clock=clock,
            sessions=bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord),
            leases=bus.bucket(subjects.LEASES_BUCKET, LeaseRecord),
            dependencies_of=sessions.dependencies_of,
            commands_of=sessions.commands_of,
            metrics=metrics,
            heartbeat=heartbeat,
            command_key=bus.command_key,
            resources=lambda: (psutil.Process().memory_info().rss, _free_bytes(settings.session_path)),
            capacity=settings.worker_max_sessions,
            ttl=settings.lease_ttl_ms / 1000,
            fence=settings.lease_policy == "fence",
            stop_seconds=settings.stop_budget_ms / 1000 + END_SECONDS,
        )
    )


class _Sessions:
    """Builds what one session's runner needs, once: the browser's driver and the outbox outlive a lost lease."""

    def __init__(
        self, settings: WorkerSettings, bus: Bus, clock: Clock, guard: Watchdog, metrics: WorkerMetrics
    ) -> None:
        self._metrics = metrics
        self._settings = settings
        self._guard = guard
        self._bus = bus
        self._clock = clock
        self._status = bus.bucket(subjects.STATUS_BUCKET, SessionStatus)
        self._built: dict[str, Dependencies] = {}

    def commands_of(self, session: str, control: SessionControl) -> SessionCommands:
        return SessionCommands(self._bus, session, control, self._clock)

    def check(self) -> None:
        """A worker that can start no browser says so at once. Raises ServiceError."""
        try:
            self._browser()
        except (BadBundle, NoBrowser) as error:
            raise ServiceError(str(error), code="no_browser", hint="run `persistent-session doctor`") from error

    def dependencies_of(self, session: str) -> Dependencies:
        if session not in self._built:
            self._built[session] = self._build(session)
        return self._built[session]

    def _build(self, session: str) -> Dependencies:
        settings = self._settings
        paths = ProfilePaths.of(settings.session_path, settings.backup_session_path, session)

        async def publish_status(status: SessionStatus) -> None:
            await self._status.put(session, status)

        async def publish_event(area: str, fact: str, message: Message) -> None:
            try:
                await self._bus.publish_event(subjects.event(area, fact, session), message)
            except ServiceError as error:
                log.debug("event_not_published", fact=fact, code=error.code)

        return Dependencies(
            session=session,
            worker=settings.instance,
            browser=self._browser(),
            profile_store=DiskProfileStore(
                session_path=settings.session_path,
                saves_path=settings.backup_session_path,
                session=session,
                clock=self._clock,
                saves_kept=settings.saves_kept,
            ),
            backups=BusBackupService(self._bus, session),
            outbox=SqliteOutbox(paths.outbox, self._clock),
            durable_record=DurableRecordFile(paths.durable_record),
            metrics=self._metrics,
            clock=self._clock,
            publish_status=publish_status,
            publish_event=publish_event,
            jitter=random.random,
            max_bytes=settings.max_session_size_mb * MEGABYTE,
            session_path=str(settings.session_path),
            saves_path=str(settings.backup_session_path),
            times=_times(settings),
            budget=Budget(
                attempts=settings.max_reconnect_attempts,
                launches=settings.max_init_retries,
                base_delay=settings.reconnect_delay_ms / 1000,
            ),
            debounce=_debounce(settings),
        )

    def _browser(self) -> ChromiumBrowser:
        """With a driver of its own, so that a browser that hangs its driver costs no other session. The driver ends
        with this process, when its pipe closes."""
        settings = self._settings
        return ChromiumBrowser(
            url=settings.whatsapp_web_url,
            executable=settings.browser_executable,
            engine=settings.browser,
            wa_js=settings.wa_js_path,
            driver=Driver(),
            confinement=Confinement(settings.egress(), self._metrics.refused),
            clock=self._clock,
            timeout=settings.browser_timeout_ms / 1000,
            watchdog=self._guard,
        )


def _debounce(settings: WorkerSettings) -> Debounce:
    return Debounce(
        offline=settings.reconnect_delay_ms / 1000, silent=min(Debounce.silent, settings.session_timeout_ms / 1000)
    )


def _times(settings: WorkerSettings) -> Times:
    save, back_up = settings.force_save_interval_ms / 1000, settings.backup_interval_ms / 1000
    return Times(
        connect=settings.session_timeout_ms / 1000,
        measure=settings.health_check_interval_ms / 1000,
        validate=settings.session_validation_interval_ms / 1000,
        save=save,
        back_up=back_up,
        back_up_retry=min(Times.back_up_retry, save / 4, back_up),
        stop=settings.stop_budget_ms / 1000,
    )


def _free_bytes(path: Path) -> int:
    existing = path if path.exists() else Path()
    return shutil.disk_usage(existing).free
