"""The one place that knows which classes meet the ports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from shared.bus import Bus, Served
from shared.clock import Clock, SystemClock
from shared.contracts.units import MEGABYTE
from shared.runtime import Metrics, OpsServer, Shutdown, Tasks, get_logger

from .adapters.allocator import give_memory_back
from .adapters.encryption import Vault
from .adapters.heads import Heads
from .adapters.reports import BusReports
from .adapters.s3_store import S3Options, S3Store
from .adapters.shelf import ObjectShelf
from .adapters.snapshot_reader import BusSnapshotReader
from .domain.generations import Limits
from .domain.retention import Policy
from .handlers import Handlers, Restoring, StoreOptions, Storing
from .runner import Heartbeat, StoreWatch, Upkeep
from .settings import Settings, decode_key


@dataclass
class Service:
    """Everything of one process, wired to a connected bus."""

    store: S3Store
    storing: Storing
    handlers: Handlers
    watch: StoreWatch
    heartbeat: Heartbeat
    upkeep: Upkeep

    def start_work(self, tasks: Tasks) -> None:
        tasks.spawn("store watch", self.watch.run)
        tasks.spawn("heartbeat", self.heartbeat.run)
        tasks.spawn("upkeep", self.upkeep.run)


def build(settings: Settings, bus: Bus, metrics: Metrics, clock: Clock) -> Service:
    store = S3Store(s3_options(settings))
    policy, limits = policy_of(settings), limits_of(settings)
    reports = BusReports(metrics, bus, clock)
    guard = Heads(store, clock)
    shelf = ObjectShelf(store, vault_of(settings), clock)
    reader = BusSnapshotReader(bus, timeout=settings.chunk_timeout_ms / 1000)
    storing = Storing(guard, shelf, reader, reports, clock, _store_options(settings, limits))
    handlers = Handlers(store, guard, shelf, storing, Restoring(shelf, reports, clock, policy))
    watch = StoreWatch(store, reports, clock, interval=settings.store_probe_interval_ms / 1000)
    return Service(
        store=store,
        storing=storing,
        handlers=handlers,
        watch=watch,
        heartbeat=Heartbeat(bus, watch, clock, instance=settings.instance),
        upkeep=Upkeep(
            shelf, reports, clock, policy=policy, limits=limits, interval=settings.retention_interval_ms / 1000
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
        connect_timeout=settings.s3_connect_timeout_ms / 1000,
        read_timeout=settings.s3_read_timeout_ms / 1000,
        attempts=settings.s3_attempts,
        budget=settings.s3_budget_ms / 1000,
    )


def vault_of(settings: Settings) -> Vault:
    previous = settings.master_key_previous
    return Vault(decode_key(settings.master_key), [decode_key(previous)] if previous.get_secret_value() else [])


def policy_of(settings: Settings) -> Policy:
    return Policy(
        five_minute=settings.retention_five_minute,
        hourly=settings.retention_hourly,
        daily=settings.retention_daily,
        cleared_for=timedelta(hours=settings.tombstone_hours),
    )


def limits_of(settings: Settings) -> Limits:
    return Limits(
        max_age=timedelta(hours=settings.generation_hours), orphan_after=timedelta(hours=settings.orphan_hours)
    )


def _store_options(settings: Settings, limits: Limits) -> StoreOptions:
    return StoreOptions(
        max_snapshot_bytes=settings.max_snapshot_mb * MEGABYTE,
        max_manifest_bytes=settings.max_manifest_mb * MEGABYTE,
        scrub=settings.scrub_after_store,
        limits=limits,
        timeout=settings.store_timeout_ms / 1000,
        at_once=settings.stores_at_once,
    )


async def serve(settings: Settings, shutdown: Shutdown) -> int:
    """Live from the first moment; ready once NATS is connected and the store answers."""
    give_memory_back()
    clock, metrics, tasks = SystemClock(), Metrics(), Tasks()
    state = _State()
    ops = OpsServer(metrics, host=settings.http_host, port=settings.http_port, ready=state.ready)
    port = await ops.start()
    shutdown.phase("ops server", 2.0, ops.stop)
    bus = await _connect(settings, clock, shutdown)
    if bus is None:
        return 0
    metrics.watch_bus(bus)
    service = build(settings, bus, metrics, clock)
    state.bus, state.watch = bus, service.watch
    service.start_work(tasks)
    served = await service.handlers.serve(bus)
    get_logger().info("serving", port=port, instance=settings.instance)
    _plan_stop(shutdown, served, service, tasks, bus)
    await shutdown.requested.wait()
    return 0


class _State:
    def __init__(self) -> None:
        self.bus: Bus | None = None
        self.watch: StoreWatch | None = None

    def ready(self) -> tuple[bool, str]:
        if self.bus is None or self.watch is None or not self.bus.connected:
            return False, "not connected to NATS"
        if not self.watch.ok:
            return False, f"the store: {self.watch.error}"
        return True, ""


async def _connect(settings: Settings, clock: Clock, shutdown: Shutdown) -> Bus | None:
    """None when the process is asked to stop first. Raises Unavailable for refused credentials."""
    connecting = asyncio.ensure_future(Bus.connect(settings.bus_options("backup"), clock=clock, wait_seconds=None))
    stopping = asyncio.ensure_future(shutdown.requested.wait())
    await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if connecting.done():
        return connecting.result()
    connecting.cancel()
    return None


def _plan_stop(shutdown: Shutdown, served: list[Served], service: Service, tasks: Tasks, bus: Bus) -> None:
    """A store under way is finished when that takes a few seconds; else nothing of it is visible."""

    async def finish_requests() -> None:
        await asyncio.gather(*(each.stop() for each in served))

    async def close_store() -> None:
        service.store.close()

    shutdown.phase("requests", 12.0, finish_requests)
    shutdown.phase("stores", 2.0, service.storing.stop)
    shutdown.phase("tasks", 6.0, tasks.stop)
    shutdown.phase("bus", 5.0, bus.drain)
    shutdown.phase("store", 1.0, close_store)
