"""`python -m gateway` as it is deployed: start, ports, load, stalled clients."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

import httpx
import pytest
from gateway_stage import API, API_KEY, KEY, GatewayProcess, Owner, hang, status

from shared.contracts.commands import SendTest
from shared.testing import NatsServer, eventually_sync, free_port

SEND = {"action": "send-test-message", "phoneNumber": "201234567890", "message": "hello"}


@pytest.fixture
def owner(nats: NatsServer) -> Iterator[Owner]:
    with Owner(nats.url) as scripted:
        yield scripted
        scripted.delete_records()


@pytest.fixture
def gateway(nats: NatsServer, owner: Owner, tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(nats.url, tmp_path / "gateway.log") as running:
        owner.publish_status(status())
        eventually_sync(lambda: get(running).json()["status"]["isConnected"])
        yield running


def get(gateway: GatewayProcess) -> httpx.Response:
    return httpx.get(gateway.url + API, headers=KEY, timeout=10)


def test_without_a_key_it_ends_at_once_with_one_line() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("API_KEY")}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway"], env=environment, capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "openssl rand -hex 32" in ended.stderr


def test_two_systems_on_one_host_leave_each_other_logged_in(nats: NatsServer, owner: Owner, tmp_path: Path) -> None:
    """Browsers send a cookie to every port of a host, and so does httpx."""
    other_nats = NatsServer()
    with ExitStack() as stack:
        stack.callback(other_nats.stop)
        stack.enter_context(Owner(other_nats.start(tmp_path / "nats").url))
        shop, demo = (
            stack.enter_context(GatewayProcess(url, tmp_path / f"{name}.log", COOKIE_SECRET=f"of the {name}"))
            for name, url in (("shop", nats.url), ("demo", other_nats.url))
        )
        browser = stack.enter_context(httpx.Client())
        for system in (shop, demo):
            answer = browser.post(f"{system.url}/persistent-session/login", json={"key": API_KEY})
            assert answer.status_code == 200
        assert [browser.get(system.url + API).status_code for system in (shop, demo)] == [200, 200]


def test_a_private_port_serves_health_and_metrics(nats: NatsServer, owner: Owner, tmp_path: Path) -> None:
    port, token = free_port(), {"Authorization": "Bearer scrape-me"}
    with GatewayProcess(nats.url, tmp_path / "gateway.log", HTTP_PORT=str(port), METRICS_TOKEN="scrape-me"):
        assert httpx.get(f"http://127.0.0.1:{port}/health/ready", headers=token).status_code == 200
        assert "wa_gateway_requests_total" in httpx.get(f"http://127.0.0.1:{port}/metrics", headers=token).text
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 401


def test_the_old_worker_class_is_answered_by_the_new_one_and_a_line_says_so(
    nats: NatsServer, owner: Owner, tmp_path: Path
) -> None:
    with GatewayProcess(nats.url, tmp_path / "gateway.log", GATEWAY_WORKER_CLASS="gthread") as gateway:
        owner.publish_status(status())
        eventually_sync(lambda: get(gateway).json()["status"]["isConnected"])
        answer = httpx.post(gateway.url + API, headers=KEY, json=SEND)
        assert (answer.status_code, answer.json()["message"]) == (200, "Test message sent")
        assert '"used": "gevent", "event": "worker_class_replaced"' in gateway.log()


def test_commands_that_hang_do_not_slow_the_status(gateway: GatewayProcess, owner: Owner) -> None:
    owner.answers[SendTest] = hang
    at_once = 10  # as many as the default limit of test messages a minute
    with ThreadPoolExecutor(at_once) as pool:
        sent = [pool.submit(httpx.post, gateway.url + API, headers=KEY, json=SEND, timeout=10) for _ in range(at_once)]
        eventually_sync(lambda: len(owner.received) == at_once)
        for _ in range(20):
            began = perf_counter()
            assert get(gateway).status_code == 200
            assert perf_counter() - began < 1.0
        assert {answer.result().status_code for answer in sent} == {504}


def test_forty_streams_leave_room_for_the_rest(gateway: GatewayProcess, owner: Owner) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(limits=httpx.Limits(max_connections=100), timeout=20))
        streams = [
            stack.enter_context(client.stream("GET", f"{gateway.url}{API}/events", headers=KEY)) for _ in range(40)
        ]
        assert {stream.status_code for stream in streams} == {200}
        full = get_events(gateway)
        assert full.status_code == 503
        assert full.headers["Retry-After"]
        began = perf_counter()
        assert get(gateway).status_code == 200
        assert httpx.post(gateway.url + API, headers=KEY, json=SEND).status_code == 200
        assert perf_counter() - began < 2.0
        frames = [stream.iter_text() for stream in streams]
        owner.publish_status(status(detail="news for all"))
        for each in frames:
            assert any("news for all" in text for text in each)


def get_events(gateway: GatewayProcess) -> httpx.Response:
    return httpx.get(f"{gateway.url}{API}/events", headers=KEY)


def test_clients_that_send_half_a_request_do_not_block_the_others(gateway: GatewayProcess) -> None:
    half_head = b"GET / HTTP/1.1\r\nHost: x\r\n"
    half_body = b"POST /persistent-session/login HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{"
    stalled = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(80)]
    try:
        for number, each in enumerate(stalled):
            each.sendall(half_body if number % 2 else half_head)
        assert get(gateway).status_code == 200
    finally:
        for each in stalled:
            each.close()
