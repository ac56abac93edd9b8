"""How long and how often the gateway waits for its clients: each limit, and who must leave when too many wait.

The gateway of these tests is the deployed one with less patience (`hasty_gateway`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

import httpx
import pytest
from gateway_stage import API, KEY, GatewayProcess, Owner, status
from hasty_gateway import IDLE_SECONDS, REQUEST_SECONDS
from slow_clients import BEHAVIOURS, SlowClients

from gateway.adapters.worker import Limits
from shared.clock import sleep_blocking
from shared.testing import NatsServer, eventually_sync

GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
HALF_BODY = b"POST /persistent-session/login HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
HALF_CHUNK = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{"
LATE = 20.0
"""Seconds; far above every limit of the gateway, so that a client that is kept fails the test."""


@pytest.fixture(scope="module")
def owner(nats: NatsServer) -> Iterator[Owner]:
    with Owner(nats.url) as scripted:
        scripted.publish_status(status())
        yield scripted


@pytest.fixture(scope="module")
def gateway(nats: NatsServer, owner: Owner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    with GatewayProcess(nats.url, log, "hasty_gateway") as running:
        yield running


@contextmanager
def client(gateway: GatewayProcess, sent: bytes = b"", source: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", gateway.port), LATE, (source, 0)) as connected:
        connected.sendall(sent)
        yield connected


def rest(connected: socket.socket) -> bytes:
    """What comes until the gateway ends the connection."""
    answer = b""
    while piece := _piece(connected):
        answer += piece
    return answer


def _piece(connected: socket.socket) -> bytes:
    try:
        return connected.recv(65536)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    "begun",
    [b"", GET, GET + b"X-A: b", HALF_BODY + b"\r\n{", HALF_CHUNK],
    ids=["nothing", "half a head", "half a header", "half a body", "half a chunk"],
)
def test_a_request_must_come_whole_in_time_however_it_drips(gateway: GatewayProcess, begun: bytes) -> None:
    began = perf_counter()
    with client(gateway, begun) as slow:
        slow.settimeout(0.2)
        answer = b""
        while not answer:
            assert perf_counter() - began < LATE
            try:
                answer = slow.recv(65536)
                break
            except TimeoutError:
                if begun:
                    slow.send(b" ")
        slow.settimeout(LATE)
        answer += rest(slow)
    assert perf_counter() - began >= REQUEST_SECONDS
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"too_slow"' in answer


def test_an_idle_connection_ends_and_a_busy_one_stays(gateway: GatewayProcess) -> None:
    with client(gateway) as busy, client(gateway, GET + b"\r\n") as idle:
        began = perf_counter()
        while perf_counter() - began < 2 * IDLE_SECONDS:
            busy.sendall(GET + b"\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += busy.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")
        assert rest(idle).count(b"HTTP/1.1 ") == 1


def test_a_client_that_takes_no_answers_is_dropped(gateway: GatewayProcess) -> None:
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(LATE)
        slow.connect(("127.0.0.1", gateway.port))
        request = b"GET /static/page.css HTTP/1.1\r\nHost: x\r\n\r\n"
        slow.sendall(request)
        while not refused(gateway, "slow_reader"):
            sleep_blocking(0.01)
            try:
                slow.sendall(request)
            except OSError:
                break
        eventually_sync(lambda: refused(gateway, "slow_reader") > 0, timeout=LATE, message="it was dropped")


def refused(gateway: GatewayProcess, what: str) -> float:
    lines = httpx.get(f"{gateway.url}/metrics", headers=KEY).text.splitlines()
    name = f'wa_gateway_refused_total{{what="{what}"}} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_of_one_address_the_oldest_must_leave_and_other_addresses_stay(gateway: GatewayProcess) -> None:
    with ExitStack() as stack:
        neighbour = stack.enter_context(client(gateway, GET, "127.0.0.2"))
        many = [stack.enter_context(client(gateway, GET)) for _ in range(Limits.waiting_of_one + 20)]
        for first in many[:20]:
            answer = rest(first)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After: " in answer
        for kept in (neighbour, *many[-20:]):
            kept.sendall(b"\r\n")
            assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_behind_a_proxy_the_address_that_it_names_counts(nats: NatsServer, owner: Owner, tmp_path: Path) -> None:
    def named(address: str) -> bytes:
        return HALF_BODY + b"X-Forwarded-For: 203.0.113.9, " + address.encode() + b"\r\n\r\n{"

    with (
        GatewayProcess(nats.url, tmp_path / "gateway.log", TRUSTED_PROXIES="1") as gateway,
        ExitStack() as stack,
    ):
        unnamed = [stack.enter_context(client(gateway)) for _ in range(Limits.waiting_of_one + 20)]
        neighbour = stack.enter_context(client(gateway, named("198.51.100.1")))
        many = [
            stack.enter_context(client(gateway, named(f"2001:db8:0:1::{number:x}")))
            for number in range(Limits.waiting_of_one + 1)
        ]
        assert rest(many[0]).startswith(b"HTTP/1.1 503 ")
        for kept in (neighbour, many[-1]):
            kept.sendall(b"}" + b" " * 48)
            assert kept.recv(65536).startswith(b"HTTP/1.1 400 ")
        unnamed[0].sendall(GET + b"\r\n")
        assert unnamed[0].recv(65536).startswith(b"HTTP/1.1 200 "), "the proxy's own connections are not counted"


def test_a_stop_waits_for_no_slow_client(nats: NatsServer, owner: Owner, tmp_path: Path) -> None:
    with GatewayProcess(nats.url, tmp_path / "gateway.log") as gateway, ExitStack() as stack:
        for _ in range(5):
            url = f"{gateway.url}{API}/events"
            assert stack.enter_context(httpx.stream("GET", url, headers=KEY, timeout=LATE)).status_code == 200
        stack.enter_context(SlowClients(gateway.port, 60, *BEHAVIOURS.values()))
        assert gateway.stop() == 0
        assert "requests_cut_off" not in gateway.log()
        assert "gateway_stopped" in gateway.log()


def test_a_stream_whose_client_has_left_frees_its_slot_at_the_next_heartbeat(
    nats: NatsServer, owner: Owner, tmp_path: Path
) -> None:
    with GatewayProcess(nats.url, tmp_path / "gateway.log", MAX_STREAMS="1") as gateway:
        with httpx.stream("GET", f"{gateway.url}{API}/events", headers=KEY) as stream:
            assert stream.status_code == 200

        def free() -> bool:
            return "wa_gateway_streams 0.0" in httpx.get(f"{gateway.url}/metrics", headers=KEY).text

        eventually_sync(free, timeout=LATE)


def test_two_hundred_commands_at_once_are_carried_out_or_told_to_come_again(
    gateway: GatewayProcess, owner: Owner
) -> None:
    async def ask() -> list[int]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(limits=limits, timeout=LATE, headers=KEY) as asking:
            body = {"action": "backups"}
            sent = [asking.post(gateway.url + API, json=body) for _ in range(200)]
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    answered = asyncio.run(ask())
    assert 200 in answered
    assert set(answered) <= {200, 503}
