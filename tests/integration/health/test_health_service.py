"""The health service as a process on a real nats-server: statuses in, reports out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from gateway_stage import GatewayProcess
from health_samples import NUMBER
from health_system import HealthProcess, OtherServices, fresh_status, other_services
from prometheus_client.parser import text_string_to_metric_families

from health.adapters import nats_monitor
from health.adapters.gateway_probe import HttpGatewayProbe
from health.adapters.nats_monitor import SystemAccountMonitor
from shared.bus import Bus, BusOptions
from shared.bus.connection import Connection
from shared.bus.credentials import new_seed
from shared.bus.transport import Incoming
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.errors import Invalid
from shared.contracts.events import StateChanged
from shared.contracts.health import JUDGE, HealthReport, Judge
from shared.testing import FaultProxy, NatsServer, eventually

SESSION = "health-one"


@pytest.fixture(scope="module")
def service(nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HealthProcess]:
    made = HealthProcess(nats, tmp_path_factory.mktemp("health"), session=SESSION, HEALTH_CHECK_INTERVAL_MS="1000")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
async def stage(bus: Bus, service: HealthProcess) -> AsyncIterator[OtherServices]:
    service.wait_ready()
    async with other_services(bus, SESSION) as made:
        await made.set_desired()
        await made.put_status(fresh_status(SESSION))
        await made.send_heartbeats()
        yield made


async def test_a_status_becomes_a_report_and_its_change_another(stage: OtherServices) -> None:
    await eventually(lambda: stage.last(lambda report: report.overall == "healthy"), timeout=15)
    await stage.put_status(fresh_status(SESSION, state="needs_attention", reason="banned"))
    bad = await eventually(lambda: stage.last(lambda report: report.overall == "critical"))
    assert [issue.code for issue in bad.issues] == ["WA-CONNECTION"]
    assert [each.id for each in bad.recommendations] == ["account-banned"]
    await stage.put_status(fresh_status(SESSION))
    await eventually(lambda: stage.reports[-1].overall == "healthy")


async def test_reports_are_repeated_at_the_interval(stage: OtherServices) -> None:
    await eventually(lambda: len(stage.reports) >= 3, timeout=8)
    assert {report.session for report in stage.reports} == {SESSION}


async def test_judge_answers_with_the_newest_status_within_100_ms(stage: OtherServices) -> None:
    await eventually(lambda: stage.reports)
    await stage.put_status(fresh_status(SESSION, state="conflict", reason="open_elsewhere"))
    await eventually(lambda: stage.last(lambda report: report.overall == "critical"))
    clock, times = SystemClock(), []
    for _ in range(30):
        started = clock.monotonic()
        report = await stage.judge()
        times.append(clock.monotonic() - started)
        assert report.overall == "critical"
    assert sorted(times)[len(times) // 2] < 0.1


async def test_an_unknown_session_is_judged_and_not_tracked(stage: OtherServices, service: HealthProcess) -> None:
    async def recommended() -> list[str]:
        subject = subjects.command(JUDGE, "stranger")
        report = await stage.bus.request(subject, Judge(), HealthReport, timeout=2)
        assert report.overall == "warning"
        return [each.action for each in report.recommendations]

    await eventually(recommended, timeout=15)  # in the first seconds the report only says that nothing was heard yet
    assert await recommended() == ["initialize"]
    assert service.metric('wa_session_connected{session="stranger"}') is None


async def test_a_text_that_is_no_session_id_is_refused(stage: OtherServices) -> None:
    subject = subjects.command(JUDGE, "NOT_AN_ID")
    with pytest.raises(Invalid):
        await stage.bus.request(subject, Judge(), HealthReport, timeout=2)


async def test_a_silent_worker_is_noticed_within_seconds(stage: OtherServices) -> None:
    await eventually(lambda: stage.last(lambda report: report.overall == "healthy"), timeout=15)
    stage.worker_alive = False
    report = await eventually(lambda: stage.last(lambda each: each.overall == "critical"), timeout=12)
    assert "WA-WORKER" in {issue.code for issue in report.issues}
    stage.worker_alive = True
    await eventually(lambda: stage.reports[-1].overall == "healthy")


async def test_a_store_that_is_down_is_noticed(stage: OtherServices) -> None:
    await eventually(lambda: stage.last(lambda report: report.overall == "healthy"), timeout=15)
    stage.store_ok = False
    report = await eventually(lambda: stage.last(lambda each: each.overall == "warning"))
    assert [issue.code for issue in report.issues] == ["WA-STORE"]


async def test_metrics_show_the_session_and_the_system_and_no_number(
    stage: OtherServices, service: HealthProcess
) -> None:
    event = StateChanged(
        session=SESSION, at=SystemClock().now(), epoch=4, before="starting", state="connected", reason="connected"
    )
    await stage.bus.publish_event(subjects.event("session", "state_changed", SESSION), event)
    one = f'{{session="{SESSION}"}}'
    await eventually(lambda: service.metric('wa_session_transitions_total{state="connected"}') == 1.0)
    await eventually(lambda: service.metric(f"wa_session_connected{one}") == 1.0)
    await eventually(lambda: service.metric("wa_nats_up") == 1.0)
    assert service.metric("wa_worker_up") == 1.0
    assert service.metric("wa_backup_up") == 1.0
    assert service.metric(f'wa_health_overall{{overall="healthy",session="{SESSION}"}}') is not None
    text = service.get("/metrics").text
    assert list(text_string_to_metric_families(text))
    assert NUMBER not in text
    assert NUMBER not in service.log()


async def test_live_and_ready_are_answered(stage: OtherServices, service: HealthProcess) -> None:
    assert service.get("/health/live").status_code == 200
    assert service.get("/health/ready").status_code == 200


def _monitor(url: str, seed: str) -> SystemAccountMonitor:
    return SystemAccountMonitor(BusOptions(url=url, nkey_seed=seed, name="monitor"), SystemClock())


async def test_a_real_server_tells_the_user_of_its_system_account_how_it_is(nats: NatsServer) -> None:
    monitor = _monitor(nats.url, nats.monitor_seed)
    try:
        sample = await monitor.sample()
    finally:
        await monitor.close()
    assert (sample.reachable, sample.jetstream) == (True, True)
    assert sample.memory_bytes > 0
    assert sample.storage_limit_bytes > 0


@pytest.mark.parametrize("mode", ["refuse", "hang", "cut"])
async def test_a_server_without_a_sensible_answer_is_not_reachable_and_found_again(nats: NatsServer, mode: str) -> None:
    proxy = FaultProxy(nats.url, mode=mode, cut_after_bytes=40).start()
    monitor = _monitor(proxy.url, nats.monitor_seed)
    try:
        assert (await monitor.sample()).reachable is False
        proxy.mode = "pass"
        assert (await monitor.sample()).reachable is True
        proxy.mode = mode
        await eventually(lambda: _is_unreachable(monitor), timeout=15)
        proxy.mode = "pass"
        await eventually(lambda: _is_reachable(monitor), timeout=15)
    finally:
        await monitor.close()
        proxy.stop()


async def _is_reachable(monitor: SystemAccountMonitor) -> bool:
    return (await monitor.sample()).reachable


async def _is_unreachable(monitor: SystemAccountMonitor) -> bool:
    return not await _is_reachable(monitor)


@pytest.mark.parametrize("seed", ["SUAWRONG", new_seed()], ids=["garbage", "unknown"])
async def test_a_wrong_key_for_the_system_account_is_a_server_that_does_not_answer(nats: NatsServer, seed: str) -> None:
    monitor = _monitor(nats.url, seed)
    assert (await monitor.sample()).reachable is False
    await monitor.close()


@pytest.mark.parametrize("answer", [b"", b"{", b'{"data": []}', b'{"data": {"server_id": 1}}'])
async def test_garbage_is_no_answer(nats: NatsServer, answer: bytes) -> None:
    ordinary = BusOptions(url=nats.url, name="garbage")
    server = Connection(ordinary)
    await server.open(10.0)

    async def reply(incoming: Incoming) -> None:
        await server.publish(incoming.reply, answer)

    await server.subscribe(nats_monitor.SUBJECT, "", reply)
    monitor = SystemAccountMonitor(ordinary, SystemClock())
    try:
        assert (await monitor.sample()).reachable is False
    finally:
        await monitor.close()
        await server.close()


async def test_a_gateway_is_asked_as_a_client_asks_and_its_silence_becomes_an_issue(
    bus: Bus, nats: NatsServer, tmp_path: Path
) -> None:
    with GatewayProcess(nats.url, tmp_path / "gateway.log") as gateway:
        proxy = FaultProxy(gateway.url, cut_after_bytes=40).start()
        probe = HttpGatewayProbe(proxy.url, SystemClock())
        service = HealthProcess(nats, tmp_path, session="health-asks", GATEWAY_URL=proxy.url)
        try:
            service.wait_ready()
            async with other_services(bus, "health-asks") as others:
                await eventually(lambda: service.metric("wa_gateway_up") == 1.0, timeout=15)
                answered = service.metric("wa_gateway_answer_seconds")
                assert answered is not None
                assert answered > 0
                for mode in ("403", "cut", "hang", "refuse"):
                    assert (await probe.sample()).seconds is not None
                    proxy.mode = mode
                    assert (await probe.sample()).seconds is None
                    proxy.mode = "pass" if mode != "refuse" else mode
                bad = await eventually(
                    lambda: others.last(lambda report: "WA-GATEWAY" in [issue.code for issue in report.issues]),
                    timeout=40,
                )
                assert "mend-gateway" in [each.id for each in bad.recommendations]
                assert service.metric("wa_gateway_up") == 0.0
                proxy.mode = "pass"
                await eventually(lambda: service.metric("wa_gateway_up") == 1.0, timeout=15)
        finally:
            await probe.close()
            service.stop()
            proxy.stop()


def test_it_stops_in_order_and_quickly(nats: NatsServer, tmp_path: Path) -> None:
    service = HealthProcess(nats, tmp_path, session="health-stops")
    service.wait_ready()
    clock = SystemClock()
    started = clock.monotonic()
    assert service.stop() == 0
    assert clock.monotonic() - started < 5
