"""The composition root: the only module that knows which classes fulfil the ports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from shared.bus import Bus, Subscription
from shared.clock import Clock, SystemClock
from shared.contracts.units import MEGABYTE
from shared.runtime import Metrics, OpsServer, Shutdown, Tasks, get_logger

from .adapters.allocator import return_freed_memory
from .adapters.control_records import ControlRecords
from .adapters.encryption import MasterKeys
from .adapters.epoch_store import ObjectEpochStore
from .adapters.lookout import Lookout
from .adapters.reports import BusReports
from .adapters.repository import ObjectRepository
from .adapters.s3_store import S3Options, S3Store
from .adapters.snapshot_reader import BusSnapshotReader
from .handlers import BackupReader, BackupWriter, Handlers, WriterOptions
from .runner import Heartbeat, Maintenance, StoreProbe
from .settings import Settings, decode_key


@dataclass
class Components:
    """Everything that runs in one process, wired to a connected bus."""

    store: S3Store
    writer: BackupWriter
    handlers: Handlers
    probe: StoreProbe
    heartbeat: Heartbeat
    maintenance: Maintenance

    def start(self, tasks: Tasks) -> None:
        tasks.spawn("store probe", self.probe.run)
        tasks.spawn("heartbeat", self.heartbeat.run)
        tasks.spawn("maintenance", self.maintenance.run)


def build(settings: Settings, bus: Bus, metrics: Metrics, clock: Clock) -> Components:
    store = S3Store(s3_options(settings))
    reports = BusReports(metrics, bus, clock)
    master_keys = master_keys_of(settings)
    records = ControlRecords(store, master_keys.signing, reports)
    repository = ObjectRepository(store, records, master_keys, Lookout(reports, clock, settings.retention), clock)
    epochs = ObjectEpochStore(records, repository, clock)
    snapshots = BusSnapshotReader(bus, timeout=settings.chunk_timeout_ms / 1000)
    writer = BackupWriter(epochs, repository, snapshots, reports, clock, _writer_options(settings))
    reader = BackupReader(repository, reports, clock, settings.retention)
    probe = StoreProbe(store, reports, clock, interval=settings.store_probe_interval_ms / 1000)
    return Components(
        store=store,
        writer=writer,
        handlers=Handlers(store, epochs, repository, writer, reader),
        probe=probe,
        heartbeat=Heartbeat(bus, probe, clock, instance=settings.instance),
        maintenance=Maintenance(
            epochs,
            repository,
            reports,
            clock,
            retention=settings.retention,
            generations=settings.generations,
            interval=settings.retention_interval_ms / 1000,
            sign_anew=master_keys.changing,
        ),
    )


def s3_options(settings: Settings) -> S3Options:
    return S3Options(
        endpoint=settings.s3_endpoint,
        bucket=settings.s3_bucket,
        access_key_id=settings.s3_access_key_id.get_secret_value(),
        secret_access_key=settings.s3_secret_access_key.get_secret_value(),
        region=settings.s3_region,
        addressing_style=settings.s3_addressing_style,
        tls_file=settings.s3_tls_file,
        connect_timeout=settings.s3_connect_timeout_ms / 1000,
        read_timeout=settings.s3_read_timeout_ms / 1000,
        attempts=settings.s3_attempts,
        budget=settings.s3_budget_ms / 1000,
    )


def master_keys_of(settings: Settings) -> MasterKeys:
    previous = settings.master_key_previous
    return MasterKeys(decode_key(settings.master_key), [decode_key(previous)] if previous.get_secret_value() else [])


def _writer_options(settings: Settings) -> WriterOptions:
    return WriterOptions(
        max_snapshot_bytes=settings.max_snapshot_mb * MEGABYTE,
        max_manifest_bytes=settings.max_manifest_mb * MEGABYTE,
        scrub=settings.scrub_after_store,
        generations=settings.generations,
        timeout=settings.store_timeout_ms / 1000,
        at_once=settings.stores_at_once,
    )


async def serve(settings: Settings, shutdown: Shutdown) -> int:
    """Runs until shutdown is requested. Live from the first moment; ready once NATS is connected and the store
    answers."""
    return_freed_memory()
    clock, metrics, tasks = SystemClock(), Metrics(), Tasks()
    readiness = _Readiness()
    ops = OpsServer(
        metrics,
        host=settings.http_host,
        port=settings.http_port,
        token=settings.metrics_token.get_secret_value(),
        ready=readiness.check,
    )
    port = await ops.start()
    shutdown.phase("ops server", 2.0, ops.stop)
    bus = await _connect(settings, clock, shutdown)
    if bus is None:
        return 0
    metrics.watch_bus(bus)
    components = build(settings, bus, metrics, clock)
    readiness.bus, readiness.probe = bus, components.probe
    components.start(tasks)
    served = await components.handlers.serve(bus)
    get_logger().info("serving", port=port, instance=settings.instance)
    _plan_stop(shutdown, served, components, tasks, bus)
    await shutdown.requested.wait()
    return 0


class _Readiness:
    def __init__(self) -> None:
        self.bus: Bus | None = None
        self.probe: StoreProbe | None = None

    def check(self) -> tuple[bool, str]:
        if self.bus is None or self.probe is None or not self.bus.connected:
            return False, "not connected to NATS"
        if not self.probe.ok:
            return False, f"the store: {self.probe.error}"
        return True, ""


async def _connect(settings: Settings, clock: Clock, shutdown: Shutdown) -> Bus | None:
    """None when shutdown is requested first. Raises Unavailable for refused credentials."""
    connecting = asyncio.ensure_future(Bus.connect(settings.bus_options("backup"), clock=clock, wait_seconds=None))
    stopping = asyncio.ensure_future(shutdown.requested.wait())
    await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if connecting.done():
        return connecting.result()
    connecting.cancel()
    return None


def _plan_stop(shutdown: Shutdown, served: list[Subscription], components: Components, tasks: Tasks, bus: Bus) -> None:
    """A backup under way has a few seconds to finish; else nothing of it is visible."""

    async def finish_requests() -> None:
        await asyncio.gather(*(each.stop() for each in served))

    async def close_store() -> None:
        components.store.close()

    shutdown.phase("requests", 12.0, finish_requests)
    shutdown.phase("stores", 2.0, components.writer.stop)
    shutdown.phase("tasks", 6.0, tasks.stop)
    shutdown.phase("bus", 5.0, bus.drain)
    shutdown.phase("store", 1.0, close_store)
