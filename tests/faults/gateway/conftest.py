"""A gateway process, an owner and a nats-server that a test may kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_stage import GatewayProcess, Owner

from shared.testing import NatsServer


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer()
    try:
        yield server.start(tmp_path / "nats")
    finally:
        server.stop()


@pytest.fixture
def owner(own_nats: NatsServer) -> Iterator[Owner]:
    with Owner(own_nats.url) as scripted:
        yield scripted


@pytest.fixture
def gateway(own_nats: NatsServer, owner: Owner, tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(own_nats.url, tmp_path / "gateway.log") as running:
        yield running
