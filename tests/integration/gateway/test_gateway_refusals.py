"""What never reaches the application: bytes that two programs could read in two ways, and whatever is too large.

Each is answered in the shape and with the headers of every answer, and the connection ends: what follows on it is
never taken for a request.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest
from gateway_stage import API, KEY, GatewayProcess, Owner

from gateway.handlers.replies import SECURITY_HEADERS
from shared.testing import NatsServer

SMUGGLED = b"GET /health/ready HTTP/1.1\r\nHost: smuggled\r\n\r\n"
POST = b"POST /persistent-session/login HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"

AMBIGUOUS = {
    "length and chunks": POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "the same length twice": POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": POST + b"Content-Length: 0, 5\r\n\r\n",
    "a signed length": POST + b"Content-Length: +5\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length in hex": POST + b"Content-Length: 0x5\r\n\r\n",
    "a length with an underscore": POST + b"Content-Length: 1_0\r\n\r\n",
    "a length in other digits": POST + b"Content-Length: \xb2\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two headers": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "no chunks after all": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "chunks in HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a tab in the coding": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 0\r\n\r\n",
    "a folded header": GET + b"X-A: b\r\n c\r\n\r\n",
    "a line without a colon": GET + b"X-A\r\n\r\n",
    "a header without a name": GET + b": b\r\n\r\n",
    "a null in a value": GET + b"X-A: b\x00c\r\n\r\n",
    "a return in a value": GET + b"X-A: b\rc\r\n\r\n",
    "lines that end in LF": b"GET /health/live HTTP/1.1\nHost: x\n\n",
    "a header that ends in LF": GET + b"X-A: b\nX-B: c\r\n\r\n",
    "no host": b"GET /health/live HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: y\r\n\r\n",
    "a space in the path": b"GET /health/ live HTTP/1.1\r\nHost: x\r\n\r\n",
    "a raw byte in the path": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /health/live\r\nHost: x\r\n\r\n",
    "another version": b"GET /health/live HTTP/2.0\r\nHost: x\r\n\r\n",
    "a version with a tail": b"GET /health/live HTTP/1.1x\r\nHost: x\r\n\r\n",
    "a method in small letters": b"get /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    "no request": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a signed chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n+1\r\n{\r\n0\r\n\r\n",
    "a chunk in 0x": POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\n{\r\n0\r\n\r\n",
    "an empty chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n\r\n{\r\n0\r\n\r\n",
    "a chunk without its end": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a chunk line with a return": POST + b"Transfer-Encoding: chunked\r\n\r\n1;a\rb\r\n{\r\n0\r\n\r\n",
    "a length among the trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
}
OTHERS = {
    "an unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "an unknown expectation": (GET + b"Expect: the unexpected\r\n\r\n", 417),
    "a long address": (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "many headers": (GET + b"".join(b"X-%d: a\r\n" % each for each in range(100)) + b"\r\n", 431),
    "a large header": (GET + b"X-A: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "an endless head": (GET + b"X-A: a\r\n" * 70_000, 431),
}
REFUSED = {name: (sent, 400) for name, sent in AMBIGUOUS.items()} | OTHERS


@pytest.fixture(scope="module")
def gateway(nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    with Owner(nats.url), GatewayProcess(nats.url, log) as running:
        yield running


def everything(gateway: GatewayProcess, sent: bytes) -> bytes:
    """All that is answered until the gateway ends the connection."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as client:
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the answer came before the end of an endless head
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=list(REFUSED))
def test_it_is_refused_in_our_shape_and_what_follows_is_not_read(
    gateway: GatewayProcess, sent: bytes, status: int
) -> None:
    answer = everything(gateway, sent + SMUGGLED)
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first.startswith(f"HTTP/1.1 {status} ")
    assert headers.items() >= (SECURITY_HEADERS | {"Connection": "close", "Content-Type": "application/json"}).items()
    told = json.loads(body)
    assert told.keys() == {"success", "error", "code", "hint"}
    assert told["success"] is False
    assert told["code"] != "http_error"


def test_a_request_in_good_order_beside_them_is_answered(gateway: GatewayProcess) -> None:
    """So that the table above does not pass because everything is refused. What was sent before the answer was taken
    is not read: a client that asks for much at once gets one answer."""
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    for sent in (GET + b"\r\n", POST + b"Content-Length: 2\r\n\r\n{}", chunked):
        answer = everything(gateway, sent + SMUGGLED)
        assert (answer.count(b"HTTP/1.1 "), b"status" in answer or b"missing" in answer) == (1, True)
        assert b"Connection: close" in answer


def test_a_body_that_is_too_large_is_refused_before_it_is_sent_or_when_it_is(gateway: GatewayProcess) -> None:
    declared = everything(gateway, POST + b"Content-Length: 100000\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    chunked = everything(gateway, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 2 + b"0\r\n\r\n" + SMUGGLED)
    for answer in (declared, chunked):
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert answer.count(b"HTTP/1.1 ") == 1


def test_a_client_that_asks_first_is_told_to_go_on(gateway: GatewayProcess) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as client:
        client.sendall(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_half_a_body_is_no_request(gateway: GatewayProcess) -> None:
    assert everything(gateway, POST + b"Content-Length: 20\r\n\r\n{}") == b""


def test_the_mount_point_is_not_the_clients_to_say(gateway: GatewayProcess) -> None:
    answer = httpx.get(f"{gateway.url}/health/live", headers={"SCRIPT_NAME": "/health"})
    assert answer.status_code == 200


def test_refusals_are_counted_and_what_was_sent_is_not_in_the_log(gateway: GatewayProcess) -> None:
    everything(gateway, GET + b"X-API-Key: very secret\x00\r\n\r\n")
    assert 'wa_gateway_refused_total{what="malformed"}' in httpx.get(f"{gateway.url}/metrics", headers=KEY).text
    assert "very secret" not in gateway.log()
    assert "127.0.0.1" not in gateway.log().replace('"host": "127.0.0.1"', "")
    assert httpx.get(gateway.url + API, headers=KEY).status_code in (200, 503)
