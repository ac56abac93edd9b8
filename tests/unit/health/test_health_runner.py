"""When reports are published, with a clock that the test moves."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from health_samples import SESSION, WORKER, record, status

from health.domain.samples import GatewaySample, NatsSample
from health.domain.session_tracker import SessionTracker
from health.domain.thresholds import Thresholds
from health.runner import GATEWAY_SAMPLE_SECONDS, NATS_SAMPLE_SECONDS, Runner
from shared.contracts.events import StateChanged
from shared.contracts.health import HealthReport
from shared.contracts.message import encode
from shared.contracts.metrics import SESSION_TRANSITIONS
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat
from shared.testing import eventually
from shared.testing.fake_clock import FakeClock

INTERVAL = 15.0


class Listener:
    def __init__(self) -> None:
        self.reports: list[HealthReport] = []

    async def publish(self, report: HealthReport) -> None:
        self.reports.append(report)


class Stage:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.tracker = SessionTracker(SESSION, Thresholds())
        self.listener = Listener()
        self.runner = Runner(self.tracker, self.clock, self.listener, interval_seconds=INTERVAL)

    def worker(self) -> None:
        now = self.clock.now()
        self.runner.on_worker_heartbeat(
            WorkerHeartbeat(worker=WORKER, at=now, sessions=(SESSION,), free_capacity=1, disk_free_bytes=2**40), ""
        )
        self.runner.on_backup_heartbeat(BackupHeartbeat(instance="b", at=now, store_ok=True), "")

    def connected(self) -> None:
        now = self.clock.now()
        fresh = status(since=now, updated_at=now, probed_at=now, backups=status().backups, saves=status().saves)
        found = msgspec.structs.replace(
            fresh,
            saves=msgspec.structs.replace(fresh.saves, newest_at=now),
            backups=msgspec.structs.replace(fresh.backups, newest_at=now),
            profile=msgspec.structs.replace(fresh.profile, validated_at=now),
        )
        self.runner.on_status(SESSION, found)

    async def round(self) -> list[HealthReport]:
        before = len(self.listener.reports)
        await self.runner.report_round()
        return self.listener.reports[before:]


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    made.runner.bus_back()
    made.runner.ready_with("statuses")()
    made.runner.on_record(SESSION, record())
    made.worker()
    made.connected()
    return made


async def test_the_first_round_publishes_and_the_second_has_no_news(stage: Stage) -> None:
    assert [report.overall for report in await stage.round()] == ["healthy"]
    stage.clock.advance(1)
    stage.worker()
    assert await stage.round() == []


async def test_a_report_is_repeated_after_the_interval(stage: Stage) -> None:
    await stage.round()
    for _ in range(7):
        stage.clock.advance(2)
        stage.worker()
        stage.connected()
        assert await stage.round() == []
    stage.clock.advance(1)
    assert len(await stage.round()) == 1


async def test_a_change_is_published_at_once(stage: Stage) -> None:
    await stage.round()
    stage.runner.on_status(SESSION, status(state="conflict", reason="open_elsewhere", since=stage.clock.now()))
    assert [report.overall for report in await stage.round()] == ["critical"]


async def test_a_worker_that_falls_silent_is_published_without_any_message(stage: Stage) -> None:
    await stage.round()
    stage.clock.advance(7)
    assert [issue.code for report in await stage.round() for issue in report.issues] == ["WA-WORKER"]


async def test_a_lost_bus_is_published_and_so_is_its_return(stage: Stage) -> None:
    await stage.round()
    stage.runner.bus_lost()
    assert [report.overall for report in await stage.round()] == ["critical"]
    assert stage.runner.ready()[0] is False
    stage.runner.bus_back()
    stage.worker()
    assert [report.overall for report in await stage.round()] == ["healthy"]


async def test_it_is_ready_when_both_buckets_have_been_read(stage: Stage) -> None:
    assert stage.runner.ready() == (False, "not read yet: records")
    stage.runner.ready_with("records")()
    assert stage.runner.ready() == (True, "")


async def test_unknown_events_are_skipped_and_old_ones_are_not_counted(stage: Stage) -> None:
    now = stage.clock.now()
    event = StateChanged(session=SESSION, at=now, epoch=4, before="", state="failed", reason="")
    stage.runner.on_event(encode(event), "")
    stage.runner.on_event(encode(msgspec.structs.replace(event, at=status().since.replace(year=2020))), "")
    for garbage in (b"", b"\xff\x00", b"[]", b'{"type":"wa.future.v9.fact"}', b'{"type":1}'):
        stage.runner.on_event(garbage, "")
    assert stage.tracker.event_counts == {(SESSION_TRANSITIONS, "failed"): 1}


async def test_the_loop_wakes_for_a_change_and_rests_between_rounds(stage: Stage) -> None:
    task = asyncio.create_task(stage.runner.report_forever())
    try:
        await eventually(lambda: len(stage.listener.reports) == 1)
        stage.runner.on_status(SESSION, status(state="failed", since=stage.clock.now()))
        await eventually(lambda: stage.clock.sleepers == 1)
        assert len(stage.listener.reports) == 1
        stage.clock.advance(0.1)
        await eventually(lambda: len(stage.listener.reports) == 2)
    finally:
        task.cancel()


async def test_the_gateway_is_asked_again_and_again_and_one_late_answer_is_remembered(stage: Stage) -> None:
    class Probe:
        answers: list[float | None] = [0.01, 1.5, None, 0.02]  # noqa: RUF012

        async def sample(self) -> GatewaySample:
            return GatewaySample(seen_at=stage.clock.now(), seconds=self.answers.pop(0))

    probe = Probe()
    late = []
    task = asyncio.create_task(stage.runner.sample_gateway_forever(probe))
    try:
        for left in (3, 2, 1, 0):
            await eventually(lambda left=left: len(probe.answers) == left)
            sample = stage.tracker.observe(SESSION).gateway
            assert sample is not None
            late.append(sample.late_since)
            if left:
                stage.clock.advance(GATEWAY_SAMPLE_SECONDS)
    finally:
        task.cancel()
    assert (late[0], late[3]) == (None, None)
    assert late[1] is not None
    assert late[1] == late[2], "since the first of the late answers"


async def test_nats_is_sampled_again_and_again(stage: Stage) -> None:
    class Monitor:
        looks = 0

        async def sample(self) -> NatsSample:
            self.looks += 1
            return NatsSample(seen_at=stage.clock.now(), connections=self.looks)

    monitor = Monitor()
    task = asyncio.create_task(stage.runner.sample_nats_forever(monitor))
    try:
        await eventually(lambda: monitor.looks == 1)
        stage.clock.advance(NATS_SAMPLE_SECONDS)
        await eventually(lambda: monitor.looks == 2)
        sample = stage.tracker.observe(SESSION).nats
        assert sample is not None
        assert sample.connections == 2
    finally:
        task.cancel()
