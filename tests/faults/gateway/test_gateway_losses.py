"""The worker dies, NATS dies, clients die: the gateway says so, and recovers without help."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
from gateway_stage import API, KEY, NOON, GatewayProcess, Owner, pairing, report, status

from shared.testing import NatsServer, eventually_sync, free_port

SEND = {"action": "send-test-message", "phoneNumber": "201234567890", "message": "hello"}


def get(gateway: GatewayProcess) -> Any:
    return httpx.get(gateway.url + API, headers=KEY, timeout=5).json()


def post(gateway: GatewayProcess, **body: Any) -> httpx.Response:
    began = perf_counter()
    answer = httpx.post(gateway.url + API, headers=KEY, json=body, timeout=10)
    assert perf_counter() - began < 5.0
    return answer


def connected(gateway: GatewayProcess) -> bool:
    return bool(get(gateway)["status"]["isConnected"])


def test_a_worker_that_falls_silent_is_gone_and_comes_back(gateway: GatewayProcess, owner: Owner) -> None:
    owner.publish_status(status())
    eventually_sync(lambda: connected(gateway))
    owner.heartbeats = False
    began = perf_counter()
    eventually_sync(lambda: not connected(gateway), timeout=10, message="the silence is noticed")
    assert 4.0 < perf_counter() - began < 9.0
    seen = get(gateway)["status"]
    assert (seen["state"], seen["workerAlive"], seen["workersAlive"]) == ("connected", False, 0)
    for action in ("send-test-message", "initialize", "clear", "backup", "restore"):
        answer = post(gateway, **(SEND | {"action": action}))
        assert (answer.status_code, answer.json()["code"]) == (503, "worker_gone"), action
        assert answer.json()["success"] is False
        assert int(answer.headers["Retry-After"]) > 0
    assert owner.received == []
    wanted = owner.desired()
    assert wanted is not None
    assert wanted.desired == "running", "a refused initialize is kept for the next worker, a refused clear is not"
    owner.heartbeats = True
    eventually_sync(lambda: connected(gateway))


def test_with_the_worker_gone_a_health_check_still_gives_the_verdict(gateway: GatewayProcess, owner: Owner) -> None:
    owner.publish_status(status())
    eventually_sync(lambda: connected(gateway))
    owner.heartbeats = False
    eventually_sync(lambda: not connected(gateway), timeout=10)
    answer = post(gateway, action="health-check").json()
    assert answer["success"] is True
    assert answer["health"]["overall"] == "warning"
    assert answer["check"]["workerAnswered"] is False


def test_nobody_serving_the_command_is_503_at_once(own_nats: NatsServer, gateway: GatewayProcess, owner: Owner) -> None:
    """The heartbeat is still young, but the worker has just stopped."""
    other = Owner(own_nats.url, session="elsewhere", worker="worker-2")
    with other:
        other.publish_status(status(session="shop-2", worker="worker-2"))

        def shown() -> bool:
            answer = httpx.get(f"{gateway.url}{API}?session=shop-2", headers=KEY)
            return answer.status_code == 200 and answer.json()["status"]["isConnected"]

        eventually_sync(shown)
        began = perf_counter()
        answer = post(gateway, **(SEND | {"session": "shop-2"}))
        assert (answer.status_code, answer.json()["code"]) == (503, "worker_gone")
        assert perf_counter() - began < 1.0


def test_a_zombie_with_an_older_epoch_is_not_believed(
    own_nats: NatsServer, gateway: GatewayProcess, owner: Owner
) -> None:
    owner.publish_status(status(epoch=8))
    eventually_sync(lambda: connected(gateway))
    with Owner(own_nats.url, session="elsewhere", worker="worker-old") as zombie:
        zombie.publish_status(pairing(epoch=7, worker="worker-old", updated_at=NOON + timedelta(hours=1)))
        owner.publish_report(report(overall="critical"))
        eventually_sync(lambda: get(gateway)["healthOverall"] == "critical", message="later news arrived")
        assert get(gateway)["status"]["epoch"] == 8
        assert connected(gateway)


def test_nats_killed_is_503_at_once_and_back_is_back(
    own_nats: NatsServer, gateway: GatewayProcess, owner: Owner
) -> None:
    owner.publish_status(status())
    eventually_sync(lambda: connected(gateway))
    own_nats.kill()
    eventually_sync(lambda: not gateway.is_up("/health/ready"), timeout=15)
    assert gateway.is_up("/health/live")
    for action in ("send-test-message", "initialize", "clear", "health-check", "backup", "backups"):
        began = perf_counter()
        answer = post(gateway, **(SEND | {"action": action}))
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), action
        assert perf_counter() - began < 1.0
    last = get(gateway)
    assert (last["success"], last["systemInfo"]["busConnected"]) == (True, False)
    eventually_sync(lambda: not connected(gateway), timeout=10, message="nothing old is called connected")
    own_nats.restart()
    eventually_sync(lambda: gateway.is_up("/health/ready"), timeout=20)
    eventually_sync(lambda: get(gateway)["status"]["workerAlive"], timeout=20)
    owner.publish_status(status(detail="again"))  # the bucket of statuses is in memory: the worker writes again
    eventually_sync(lambda: connected(gateway) and get(gateway)["status"]["detail"] == "again", timeout=15)
    assert post(gateway, **SEND).status_code == 200


def test_the_gateway_starts_without_nats_and_says_so(tmp_path: Path) -> None:
    port = free_port()
    running = GatewayProcess(f"nats://127.0.0.1:{port}", tmp_path / "gateway.log")
    running.start()
    try:
        ready = httpx.get(f"{running.url}/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        answer = httpx.get(running.url + API, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        stream = httpx.get(f"{running.url}{API}/events", headers=KEY)
        assert stream.status_code == 503
        assert httpx.get(f"{running.url}/persistent-session").status_code == 200
        assert httpx.get(running.url + API).status_code == 401
    finally:
        assert running.stop(timeout=10) == 0


def test_clients_that_vanish_give_their_slots_back(own_nats: NatsServer, owner: Owner, tmp_path: Path) -> None:
    with GatewayProcess(own_nats.url, tmp_path / "gateway.log", MAX_STREAMS="3") as gateway:
        request = f"GET {API}/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY['X-API-Key']}\r\n\r\n".encode()
        sockets = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(3)]
        for each in sockets:
            each.sendall(request)
            assert b"200 OK" in each.recv(65536)
        assert httpx.get(f"{gateway.url}{API}/events", headers=KEY).status_code == 503
        for each in sockets:
            each.close()

        def free() -> bool:
            return "wa_gateway_streams 0.0" in httpx.get(f"{gateway.url}/metrics", headers=KEY).text

        eventually_sync(free, timeout=20, interval=0.5, message="the heartbeats found the dead clients")


def test_sigterm_ends_it_within_seconds_with_open_streams(own_nats: NatsServer, owner: Owner, tmp_path: Path) -> None:
    with GatewayProcess(own_nats.url, tmp_path / "gateway.log") as gateway:
        owner.publish_status(status())
        eventually_sync(lambda: connected(gateway))
        with (
            httpx.stream("GET", f"{gateway.url}{API}/events", headers=KEY) as one,
            httpx.stream("GET", f"{gateway.url}{API}/events", headers=KEY) as two,
        ):
            frames, others = one.iter_text(), two.iter_text()
            assert "retry" in next(frames)
            assert "retry" in next(others)
            began = perf_counter()
            assert gateway.stop() == 0
            assert perf_counter() - began < 5.0
            for rest in (frames, others):
                for _ in rest:
                    pass
        log = gateway.log()
        assert "gateway_stopped" in log
        assert "Traceback" not in log
        assert "bus_not_drained" not in log


def test_a_command_under_way_is_answered_before_the_end(
    own_nats: NatsServer, gateway: GatewayProcess, owner: Owner
) -> None:
    import threading

    from gateway_stage import SendResult, SendTest

    asked, go = threading.Event(), threading.Event()

    async def slowly(*_: object) -> SendResult:
        import asyncio

        asked.set()
        while not go.is_set():
            await asyncio.sleep(0.02)
        return SendResult(outcome="sent", message_id="id-1")

    owner.answers[SendTest] = slowly
    owner.publish_status(status())
    eventually_sync(lambda: connected(gateway))
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(post(gateway, **SEND)))
    thread.start()
    assert asked.wait(5)
    assert gateway.process is not None
    gateway.process.terminate()
    go.set()
    thread.join(10)
    assert [answer.status_code for answer in answers] == [200]
    assert gateway.process.wait(10) == 0


def test_nothing_secret_reaches_the_log(gateway: GatewayProcess, owner: Owner) -> None:
    owner.publish_status(pairing())
    eventually_sync(lambda: get(gateway)["status"]["qrCode"])
    post(gateway, action="pair-phone", phoneNumber="201234567890")
    owner.publish_status(status())
    eventually_sync(lambda: connected(gateway))
    post(gateway, **(SEND | {"message": "the text of a message"}))
    httpx.post(f"{gateway.url}/persistent-session/login", json={"key": KEY["X-API-Key"]})
    log = gateway.log()
    assert '"action": "send-test-message"' in log
    for secret in (KEY["X-API-Key"], "201234567890", "the text of a message", "ABCD1234", "2@n0t"):
        assert secret not in log
