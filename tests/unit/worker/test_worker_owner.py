"""The worker competes for the sessions that are wanted, does what is wanted, and ends within its budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from fake_worker import NOW, World

from browser_worker.adapters.worker_metrics import ServedWorkerMetrics
from browser_worker.domain.egress import Refusal
from browser_worker.domain.reading import PageState
from browser_worker.handlers import SessionCommands
from browser_worker.ports import CopyOutcome, SessionControl
from browser_worker.runner.worker import Worker
from browser_worker.runner.worker_dependencies import WorkerDependencies
from shared.clock import SystemClock
from shared.contracts.errors import ServiceError, Unavailable
from shared.contracts.message import encode
from shared.contracts.sessions import DesiredState, LeaseRecord, SessionRecord
from shared.contracts.telemetry import WorkerHeartbeat
from shared.runtime import Metrics
from shared.testing import MemoryBucket, eventually

SESSION = "shop"


class NoCommands:
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class Stage:
    """One worker on buckets in memory, with one session's world."""

    def __init__(self, **changes: Any) -> None:
        self.world = World()
        self.world.profile_store.exists = True
        self.world.durable_record.written = type(self.world.durable_record.written)(linked=True)
        self.world.browser.after_launch = lambda: self.world.browser.shows(PageState.CONNECTED)
        self.sessions = MemoryBucket(SessionRecord)
        self.heartbeats: list[WorkerHeartbeat] = []
        dependencies = self.world.dependencies()

        async def heartbeat(message: WorkerHeartbeat) -> None:
            self.heartbeats.append(message)

        options: dict[str, Any] = {
            "worker": "w",
            "clock": SystemClock(),
            "sessions": self.sessions,
            "leases": MemoryBucket(LeaseRecord),
            "dependencies_of": lambda _: dependencies,
            "commands_of": lambda *_: NoCommands(),
            "metrics": self.world.metrics,
            "heartbeat": heartbeat,
            "resources": lambda: (1, 1),
            "ttl": 1.0,
            "stop_seconds": 5.0,
        }
        self.worker = Worker(WorkerDependencies(**(options | changes)))

    async def want(self, desired: str, request: int) -> None:
        record = SessionRecord(session=SESSION, desired=desired, requested_at=NOW, request=request)
        await self.sessions.put(SESSION, record)

    async def until(self, state: str) -> None:
        await eventually(lambda: self.world.statuses and self.world.status.state == state, message=state)


@asynccontextmanager
async def started(**changes: Any) -> AsyncIterator[Stage]:
    stage = Stage(**changes)
    await stage.worker.start()
    try:
        yield stage
    finally:
        await stage.worker.stop()


async def test_a_session_that_is_wanted_runs_until_it_is_not_wanted_any_more() -> None:
    async with started() as stage:
        await stage.want(DesiredState.RUNNING, 1)
        await stage.until("connected")
        assert stage.worker.owned == (SESSION,)
        await stage.want(DesiredState.STOPPED, 2)
        await stage.until("stopped")
        await eventually(lambda: stage.worker.owned == ())
        assert stage.world.durable_record.written.request == 2


async def test_a_desired_state_of_a_newer_gateway_starts_nothing() -> None:
    async with started() as stage:
        await stage.want("hibernating", 1)
        with pytest.raises(AssertionError):
            await eventually(lambda: stage.world.browser.calls or stage.world.statuses, timeout=0.5)
        assert stage.worker.owned == ()
        await stage.want(DesiredState.RUNNING, 2)
        await stage.until("connected")


async def test_a_desired_state_of_a_newer_gateway_leaves_a_running_session_alone() -> None:
    async with started() as stage:
        await stage.want(DesiredState.RUNNING, 1)
        await stage.until("connected")
        before = list(stage.world.states)
        await stage.want("hibernating", 2)
        await asyncio.sleep(0.3)
        assert stage.world.states == before
        assert stage.worker.owned == (SESSION,)
        assert stage.world.durable_record.written.request == 1
        assert "wipe" not in stage.world.profile_store.calls


async def test_an_epoch_that_cannot_be_confirmed_at_first_is_confirmed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("browser_worker.runner.session_owner.ANCHOR_AGAIN_SECONDS", 0.05)
    stage = Stage()
    stage.world.backups.error = Unavailable("S3 is down")
    await stage.worker.start()
    await stage.want(DesiredState.RUNNING, 1)
    await stage.until("connected")
    assert stage.world.backups.stored == []
    stage.world.backups.error = None
    await eventually(lambda: stage.world.backups.stored)
    await stage.worker.stop()


async def test_a_worker_stops_although_a_session_does_not_end() -> None:
    stage = Stage(stop_seconds=0.3)
    await stage.worker.start()
    await stage.want(DesiredState.RUNNING, 1)
    await stage.until("connected")

    close, hangs = stage.world.browser.close, [True]

    async def hangs_once(*, timeout: float) -> None:
        if hangs:
            hangs.clear()
            await asyncio.Event().wait()
        await close(timeout=timeout)

    stage.world.browser.close = hangs_once  # type: ignore[method-assign]
    async with asyncio.timeout(3):
        await stage.worker.stop()


async def test_a_worker_without_capacity_takes_no_session_and_stops_at_once() -> None:
    stage = Stage(capacity=0)
    await stage.worker.start()
    await stage.want(DesiredState.RUNNING, 1)
    await asyncio.sleep(0.1)
    async with asyncio.timeout(2):
        await stage.worker.stop()
    assert stage.world.browser.calls == []


async def test_the_heartbeat_names_the_sessions_and_the_free_capacity() -> None:
    async with started(capacity=3) as stage:
        await eventually(lambda: stage.heartbeats)
        assert (stage.heartbeats[-1].sessions, stage.heartbeats[-1].free_capacity) == ((), 3)


async def test_renewals_of_the_lease_are_counted() -> None:
    async with started() as stage:
        await stage.want(DesiredState.RUNNING, 1)
        await eventually(lambda: stage.world.metrics.counted.count("lease held") > 1)


def test_the_metrics_page_shows_what_was_counted() -> None:
    metrics = Metrics()
    served = ServedWorkerMetrics(metrics)
    served.watch_sessions(lambda: 2, 4)
    served.lease_renewed("unknown")
    served.launched(succeeded=False)
    served.rung_taken("reload")
    served.refused(Refusal.NAVIGATION)
    served.saved(CopyOutcome.MADE)
    served.backed_up(CopyOutcome.UNCHANGED)
    served.frozen(3.0)
    served.snapshot_paused(0.02)
    page = metrics.render().decode().splitlines()
    for line in (
        "wa_worker_sessions 2.0",
        "wa_worker_capacity 4.0",
        'wa_worker_lease_renewals_total{outcome="unknown"} 1.0',
        'wa_worker_launches_total{outcome="failed"} 1.0',
        'wa_worker_rungs_total{rung="reload"} 1.0',
        'wa_worker_refusals_total{what="navigation"} 1.0',
        'wa_worker_refusals_total{what="host"} 0.0',
        'wa_worker_copies_total{copy="save",outcome="made"} 1.0',
        'wa_worker_copies_total{copy="backup",outcome="unchanged"} 1.0',
        "wa_worker_freeze_seconds_count 1.0",
        "wa_worker_snapshot_pause_seconds_sum 0.02",
    ):
        assert line in page


class SlowlyEnding:
    async def stop(self) -> None:
        await asyncio.sleep(0.2)


class SlowlyEndingBus:
    async def serve(self, *_: object) -> SlowlyEnding:
        return SlowlyEnding()


async def test_the_commands_of_a_session_end_side_by_side() -> None:
    """Each may finish a call for some seconds; one after the other they would hold the lease for a minute."""
    commands = SessionCommands(SlowlyEndingBus(), SESSION, object(), SystemClock())  # type: ignore[arg-type]
    await commands.start()
    async with asyncio.timeout(0.8):
        await commands.stop()


@pytest.mark.parametrize("desired", [DesiredState.CLEARED, DesiredState.STOPPED])
async def test_a_record_that_the_gateway_has_not_signed_neither_stops_nor_clears_a_session(desired: str) -> None:
    async with started() as stage:
        await stage.want(DesiredState.RUNNING, 1)
        await stage.until("connected")
        before = list(stage.world.states)
        forged = SessionRecord(session=SESSION, desired=desired, requested_at=NOW + timedelta(days=1), request=99)
        stage.sessions.data.write(SESSION, encode(forged), {})
        stage.sessions.data.write(SESSION, b"", {"KV-Operation": "DEL"})
        stage.sessions.data.restart_watches()
        await asyncio.sleep(0.3)
        assert stage.world.states == before
        assert stage.worker.owned == (SESSION,)
        assert "wipe" not in stage.world.profile_store.calls
        assert stage.sessions.data.counts["unverified"] >= 2


async def test_an_earlier_record_that_comes_back_does_not_end_a_session_after_its_next_stop() -> None:
    async with started() as stage:
        stopped = SessionRecord(session=SESSION, desired="stopped", requested_at=NOW, request=1)
        await stage.sessions.put(SESSION, stopped)
        earlier = stage.sessions.data.values[SESSION]
        running = SessionRecord(session=SESSION, desired="running", requested_at=NOW + timedelta(seconds=1), request=2)
        await stage.sessions.put(SESSION, running)
        await stage.until("connected")
        stage.sessions.data.write(SESSION, earlier.data, earlier.headers)
        await asyncio.sleep(0.3)
        assert stage.worker._owners[SESSION]._desired() is DesiredState.RUNNING


@pytest.mark.parametrize("lost", [False, True])
async def test_a_fenced_owner_claims_again_only_when_a_later_renewal_shows_that_the_lease_is_its_own(
    lost: bool,
) -> None:
    controls: list[SessionControl] = []

    def commands_of(_: str, control: SessionControl) -> NoCommands:
        controls.append(control)
        return NoCommands()

    leases = MemoryBucket(LeaseRecord)
    async with started(commands_of=commands_of, leases=leases) as stage:
        await stage.want(DesiredState.RUNNING, 1)
        await stage.until("connected")
        backups = stage.world.backups
        await eventually(lambda: backups.stored, timeout=5)
        claims = backups.claims
        backups.epoch += 5
        if lost:
            await leases.put(SESSION, LeaseRecord(owner="other", nonce="other", epoch=99))
        with pytest.raises(ServiceError):
            await controls[0].back_up()
        if lost:
            await eventually(lambda: stage.worker.owned == (), timeout=5)
            assert backups.claims == claims
        else:
            await eventually(lambda: backups.claims == claims + 1, timeout=5)
            await eventually(lambda: stage.world.status.epoch == backups.epoch, timeout=5)
            assert (await controls[0].back_up()).outcome == "stored"
