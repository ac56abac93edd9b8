"""The event stream, frame by frame."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from gateway_stage import API, KEY, SESSION, Owner, pairing, status

from gateway.bootstrap import Gateway
from gateway.handlers import event_stream
from shared.testing import eventually_sync


@contextmanager
def stream(client: FlaskClient, **headers: str) -> Iterator[Iterator[bytes]]:
    answer = client.get(f"{API}/events", headers=KEY | headers, buffered=False)
    assert answer.status_code == 200
    assert answer.mimetype == "text/event-stream"
    try:
        yield iter(answer.response)  # type: ignore[arg-type]
    finally:
        answer.close()


def fields(frame: bytes) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in frame.decode().strip().splitlines())


def next_status(frames: Iterator[bytes]) -> tuple[str, dict[str, Any]]:
    """Id and data of the next status event."""
    for frame in frames:
        found = fields(frame)
        if found.get("event") == "status":
            return found["id"], json.loads(found["data"])
    raise AssertionError("the stream ended")


def test_the_state_comes_at_once_and_then_each_change(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    owner.publish_status(pairing())
    eventually_sync(lambda: gateway.view.session(SESSION).owner is not None)
    with stream(client) as frames:
        assert fields(next(frames)) == {"retry": "2000"}
        _, data = next_status(frames)
        assert data["status"]["state"] == "pairing"
        owner.publish_status(status())
        while data["status"]["state"] != "connected":
            last, data = next_status(frames)
        assert data.keys() == client.get(API, headers=KEY).json.keys()
    with stream(client, **{"Last-Event-ID": "other-1"}) as frames:
        again, _ = next_status(frames)
        assert again == last


def test_a_client_that_has_the_newest_state_gets_a_heartbeat_first(
    gateway: Gateway, owner: Owner, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.3)
    owner.publish_status(status())
    eventually_sync(lambda: gateway.view.session(SESSION).owner is not None)
    newest, first = "", {}
    for _ in range(10):  # the view may move on between the two streams; then the client has not the newest state
        with stream(client) as frames:
            newest, _ = next_status(frames)
            for frame in frames:
                if fields(frame).get("event") == "heartbeat":
                    break
                newest = fields(frame)["id"]
        with stream(client, **{"Last-Event-ID": newest}) as frames:
            next(frames)
            first = fields(next(frames))
        if first.get("id", newest) == newest:
            break
    assert first == {"event": "heartbeat", "data": "{}"}


def test_more_streams_than_slots_get_503_and_a_slot_is_given_back(open_gateway: Callable[..., Gateway]) -> None:
    gateway = open_gateway(max_streams=2)
    client = gateway.app.test_client()
    with stream(client), stream(client):
        full = client.get(f"{API}/events", headers=KEY)
        assert (full.status_code, full.json["code"]) == (503, "busy")
        assert int(full.headers["Retry-After"]) > 0
        assert client.get(API, headers=KEY).status_code == 200
        assert "wa_gateway_streams 2.0" in client.get("/metrics", headers=KEY).text
    with stream(client), stream(client):
        pass
    assert "wa_gateway_streams 0.0" in client.get("/metrics", headers=KEY).text


def test_one_login_cannot_keep_another_out(
    open_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.1)
    gateway = open_gateway(max_streams=3)
    greedy, other = gateway.app.test_client(), gateway.app.test_client()
    assert other.post("/persistent-session/login", json={"key": KEY["X-API-Key"]}).status_code == 200
    with stream(greedy) as oldest, stream(greedy) as second, stream(greedy):
        assert greedy.get(f"{API}/events", headers=KEY).status_code == 503
        latest = other.get(f"{API}/events", buffered=False)
        assert latest.status_code == 200
        assert other.get(f"{API}/events").status_code == 503, "two of three would be more than the others have"
        assert list(oldest), "the oldest stream of the login with the most ends"
        assert next(second)
        latest.close()


def test_a_stream_ends_when_the_gateway_stops(
    gateway: Gateway, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stream(client) as frames:
        next(frames)
        gateway.stopping()
        assert sum(1 for _ in frames) <= 2
    assert gateway.view.ready() == (False, "stopping")


def test_an_old_stream_ends_so_that_its_login_is_checked_again(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "STREAM_SECONDS", 0.2)
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.1)
    with stream(client) as frames:
        assert list(frames)
