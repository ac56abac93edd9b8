"""NATS killed, NATS without its data, the service killed, garbage on the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import nats
import pytest
from health_system import HealthProcess, OtherServices, fresh_status, other_services

from shared.bus import Bus, create_streams
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.errors import ServiceError
from shared.contracts.health import JUDGE
from shared.testing import NatsServer, eventually, options_for_tests

SESSION = "health-faults"


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer().start(tmp_path / "nats")
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
async def own_bus(own_nats: NatsServer) -> AsyncIterator[Bus]:
    connected = await Bus.connect(options_for_tests(own_nats.url), clock=SystemClock())
    await create_streams(connected)
    try:
        yield connected
    finally:
        await connected.drain()


@pytest.fixture
def service(own_nats: NatsServer, own_bus: Bus, tmp_path: Path) -> Iterator[HealthProcess]:
    made = HealthProcess(own_nats, tmp_path, session=SESSION, HEALTH_CHECK_INTERVAL_MS="1000")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
async def stage(own_bus: Bus, service: HealthProcess) -> AsyncIterator[OtherServices]:
    service.wait_ready()
    async with other_services(own_bus, SESSION) as made:
        await made.set_desired()
        await made.put_status(fresh_status(SESSION))
        yield made


async def healthy_again(stage: OtherServices) -> None:
    """A report published from now on is healthy, and so is the answer to a request."""

    async def asked() -> bool:
        try:
            return (await stage.judge()).overall == "healthy"
        except ServiceError:
            return False

    stage.reports.clear()
    await eventually(lambda: stage.last(lambda report: report.overall == "healthy"), timeout=25)
    await eventually(asked, timeout=10)


async def test_nats_killed_and_back_goes_on(stage: OtherServices, service: HealthProcess, own_nats: NatsServer) -> None:
    await healthy_again(stage)
    own_nats.kill()
    await eventually(lambda: service.get("/health/ready").status_code == 503, timeout=15)
    assert service.get("/health/live").status_code == 200
    lost = f'wa_health_check_level{{code="WA-NATS",session="{SESSION}"}}'
    await eventually(lambda: service.metric(lost) == 2.0)
    await eventually(lambda: service.metric("wa_nats_up") == 0.0, timeout=15)
    own_nats.restart()
    await eventually(lambda: service.get("/health/ready").status_code == 200, timeout=20)
    await healthy_again(stage)
    assert service.alive


async def test_nats_that_lost_its_data_is_no_emergency(
    stage: OtherServices, service: HealthProcess, own_nats: NatsServer, own_bus: Bus
) -> None:
    await healthy_again(stage)
    own_nats.stop()
    own_nats.lose_data()
    own_nats.restart()
    await eventually(lambda: own_bus.connected, timeout=15)
    await eventually(lambda: _made(own_bus), timeout=15)
    await eventually(lambda: service.get("/health/ready").status_code == 200, timeout=20)
    stage.reports.clear()
    await eventually(lambda: len(stage.reports) > 1, timeout=10)
    assert {report.overall for report in stage.reports} <= {"warning"}
    await stage.set_desired()
    await stage.put_status(fresh_status(SESSION, epoch=1))
    await healthy_again(stage)


async def _made(bus: Bus) -> bool:
    try:
        await create_streams(bus)
    except ServiceError:
        return False
    return True


async def test_killed_and_started_again_it_knows_the_session_and_raises_no_false_alarm(
    stage: OtherServices, service: HealthProcess
) -> None:
    await healthy_again(stage)
    service.kill()
    stage.reports.clear()
    service.start()
    await healthy_again(stage)
    assert not stage.last(lambda report: report.overall == "critical")


async def test_garbage_on_the_bus_is_skipped(
    stage: OtherServices, service: HealthProcess, own_nats: NatsServer
) -> None:
    await healthy_again(stage)
    raw = await nats.connect(own_nats.url)
    for subject in (
        subjects.telemetry("browser-worker", "heartbeat", "x"),
        subjects.telemetry("backup", "heartbeat", "x"),
        f"$KV.{subjects.STATUS_BUCKET}.{SESSION}",
        f"$KV.{subjects.STATUS_BUCKET}.strange",
        f"$KV.{subjects.SESSIONS_BUCKET}.strange",
        subjects.event("session", "state_changed", SESSION),
        subjects.command(JUDGE, SESSION),
    ):
        for data in (b"", b"{", b"[]", b"\xff" * 100, b'{"type":"wa.session.v9.status"}'):
            await raw.publish(subject, data)
    await raw.flush()
    await raw.close()
    await stage.put_status(fresh_status(SESSION))
    await healthy_again(stage)
    assert service.alive


async def test_it_waits_for_a_bus_that_is_not_there_yet_and_stops_while_it_waits(
    own_nats: NatsServer, tmp_path: Path
) -> None:
    own_nats.stop()
    waiting = HealthProcess(own_nats, tmp_path, session=SESSION)
    try:
        await eventually(lambda: waiting.get("/health/live").status_code == 200, timeout=15)
        assert waiting.get("/health/ready").status_code == 503
    finally:
        code = waiting.stop()
    assert code == 0
