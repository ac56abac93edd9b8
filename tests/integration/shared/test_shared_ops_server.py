"""The operators' HTTP server, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.contracts.metrics import BACKUP_FAILED, BACKUP_STORE_SECONDS
from shared.runtime import Metrics, OpsServer, ops_server
from shared.testing import FakeBus

TOKEN = "lets-a-scraper-in"
OPERATOR = ("Host: x", f"Authorization: Bearer {TOKEN}")
LOCKED = ("/health/ready", "/metrics", "/metrics?x=/health/live", "/health/live/", "/nothing")


class Readiness:
    answer = (True, "")

    def __call__(self) -> tuple[bool, str]:
        return self.answer


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
async def ops(metrics: Metrics, readiness: Readiness) -> AsyncIterator[OpsServer]:
    server = OpsServer(metrics, host="127.0.0.1", port=0, token=TOKEN, ready=readiness)
    await server.start()
    yield server
    await server.stop()


async def ask(server: OpsServer, request: bytes) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 10.0)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        return 0, {}, b""
    first, *rest = head.decode().split("\r\n")
    return int(first.split(" ")[1]), dict(line.lower().split(": ", 1) for line in rest), body


def request(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", *headers, "", ""]).encode()


async def get(server: OpsServer, path: str, *headers: str) -> tuple[int, bytes]:
    """With the token, unless other `headers` are given."""
    status, answered, body = await ask(server, request(path, *(headers or OPERATOR)))
    assert not any(name.startswith("access-control-") for name in answered)
    return status, body


async def test_a_port_is_chosen_and_live_answers(ops: OpsServer) -> None:
    assert ops.port > 0
    assert await get(ops, "/health/live") == (200, b"alive\n")


async def test_ready_says_why_not(ops: OpsServer, readiness: Readiness) -> None:
    assert await get(ops, "/health/ready") == (200, b"ready\n")
    readiness.answer = (False, "the bus is lost")
    assert await get(ops, "/health/ready") == (503, b"the bus is lost\n")
    assert (await get(ops, "/health/live"))[0] == 200


async def test_metrics_are_what_prometheus_reads(ops: OpsServer, metrics: Metrics) -> None:
    metrics.counter(BACKUP_FAILED).labels("sent").inc(3)
    metrics.histogram(BACKUP_STORE_SECONDS).observe(0.2)
    bus = FakeBus()
    bus.counts["late"] = 2
    metrics.watch_bus(bus)
    status, headers, body = await ask(ops, request("/metrics", *OPERATOR))
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    assert int(headers["content-length"]) == len(body)
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    assert values["wa_backup_failed_total", "sent"] == 3
    assert values["wa_backup_store_seconds_count",] == 1
    assert values["wa_bus_connected",] == 1
    assert values["wa_bus_faults_total", "late"] == 2
    assert values["process_resident_memory_bytes",] > 0


@pytest.mark.parametrize("path", LOCKED)
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
    ],
)
async def test_without_the_token_nothing_but_life_is_told(
    ops: OpsServer, readiness: Readiness, path: str, authorization: str | None
) -> None:
    readiness.answer = (False, "the bus is lost")
    key = [] if authorization is None else [f"Authorization: {authorization}"]
    status, body = await get(ops, path, "Host: 127.0.0.1", *key)
    assert (status, body) == (401, ops_server.HOW_TO_SEND)
    assert await get(ops, "/health/live", "Host: 127.0.0.1", *key) == (200, b"alive\n")


@pytest.mark.parametrize("path", LOCKED)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost:1:2"])
async def test_under_a_strangers_name_nothing_but_life_is_told_whoever_asks(
    ops: OpsServer, path: str, host: str
) -> None:
    assert (await get(ops, path, f"Host: {host}", f"Authorization: Bearer {TOKEN}"))[0] == 421
    assert (await get(ops, "/health/live", f"Host: {host}"))[0] == 200


async def test_a_request_without_a_name_is_told_nothing_but_life(ops: OpsServer) -> None:
    key = f"Authorization: Bearer {TOKEN}".encode()
    assert (await ask(ops, b"GET /metrics HTTP/1.0\r\n" + key + b"\r\n\r\n"))[0] == 421
    assert (await ask(ops, b"GET /health/live HTTP/1.0\r\n\r\n"))[0] == 200


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer x"])
async def test_a_server_without_a_token_says_how_to_set_it_and_nothing_else(
    metrics: Metrics, readiness: Readiness, authorization: str
) -> None:
    server = OpsServer(metrics, host="127.0.0.1", port=0, token="", ready=readiness)
    await server.start()
    try:
        for path in LOCKED:
            status, body = await get(server, path, "Host: x", f"Authorization: {authorization}")
            assert (status, b"METRICS_TOKEN_FILE" in body, b"wa_" in body) == (403, True, False)
        assert (await get(server, "/health/live", "Host: x"))[0] == 200
    finally:
        await server.stop()


async def test_unknown_paths_and_methods_are_refused(ops: OpsServer) -> None:
    assert (await get(ops, "/etc/passwd"))[0] == 404
    assert (await ask(ops, b"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 405


async def test_head_gives_the_length_and_no_body(ops: OpsServer) -> None:
    status, headers, body = await ask(ops, b"HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, headers["content-length"], body) == (200, "6", b"")


@pytest.mark.parametrize("garbage", [b"\r\n\r\n", b"hello\r\n\r\n", b"\xff\xfe\r\n\r\n", b"x" * 100_000])
async def test_garbage_gets_nothing_and_the_next_client_is_served(ops: OpsServer, garbage: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # closed while we were still talking
        assert (await ask(ops, garbage))[0] == 0
    assert (await get(ops, "/health/live"))[0] == 200


async def test_a_client_that_says_nothing_does_not_keep_others_waiting_or_the_stop(ops: OpsServer) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", ops.port) for _ in range(10)]
    assert (await get(ops, "/health/live"))[0] == 200
    await asyncio.wait_for(ops.stop(), 4.0)
    for _, writer in silent:
        writer.close()


async def test_clients_that_say_nothing_keep_nobody_out_however_many_they_are(ops: OpsServer) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", ops.port) for _ in range(4 * ops_server.MAX_CLIENTS)]
    assert await asyncio.wait_for(get(ops, "/health/live"), ops_server.READ_SECONDS / 2) == (200, b"alive\n")
    assert await asyncio.wait_for(silent[0][0].read(), ops_server.READ_SECONDS / 2) == b"", "the oldest had to go"
    for _, writer in silent:
        writer.close()


async def test_a_client_that_says_one_byte_at_a_time_is_cut_off(
    ops: OpsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops_server, "READ_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", ops.port)
    started = asyncio.get_running_loop().time()
    with contextlib.suppress(ConnectionError):
        for byte in b"GET /health/live HTTP/1.1\r\nHost: " + b"x" * 100:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
            if reader.at_eof():
                break
        await asyncio.wait_for(reader.read(), 5.0)
    assert asyncio.get_running_loop().time() - started < 2.0
    writer.close()


async def test_the_second_request_of_a_connection_is_not_answered(ops: OpsServer) -> None:
    one = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    status, headers, body = await ask(ops, one + one)
    assert (status, headers["connection"], body) == (200, "close", b"alive\n")
