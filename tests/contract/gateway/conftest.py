"""The gateway's app in this process, on a real bus with a scripted owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from gateway_stage import API_KEY, Owner
from pydantic import SecretStr

from gateway.bootstrap import Gateway
from gateway.settings import GatewaySettings
from shared.clock import Clock
from shared.testing import NatsServer, eventually_sync


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Golden answers must not depend on where the tests run."""
    for name in ("SESSION_PATH", "BACKUP_SESSION_PATH", "RAILWAY_PROJECT_ID", "RAILWAY_PROJECT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def owner(nats: NatsServer) -> Iterator[Owner]:
    with Owner(nats.url) as scripted:
        yield scripted
        scripted.delete_records()


@pytest.fixture
def open_gateway(nats: NatsServer, owner: Owner) -> Iterator[Callable[..., Gateway]]:
    """Makes gateways with the settings of a test; each has received the worker's heartbeat."""
    opened: list[Gateway] = []

    def make(*, clock: Clock | None = None, **settings: Any) -> Gateway:
        made = Gateway(GatewaySettings(nats_url=nats.url, api_key=SecretStr(API_KEY), **settings), clock=clock)
        made.app.testing = False
        made.begin()
        opened.append(made)
        eventually_sync(lambda: made.view.ready()[0] and made.view.session("x").workers > 0, message="gateway ready")
        return made

    yield make
    for each in opened:
        each.end()


@pytest.fixture
def gateway(open_gateway: Callable[..., Gateway]) -> Gateway:
    return open_gateway()


@pytest.fixture
def client(gateway: Gateway) -> FlaskClient:
    return gateway.app.test_client()
