"""Clients that are slow on purpose. Without a key they may cost the owner a moment, never the status or the health."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import httpx
import pytest
from slow_clients import BEHAVIOURS, Behaviour, SlowClients, say_nothing
from whole_system import OLD_API, System

from shared.testing import eventually_sync

PATIENCE_SECONDS = 6.0
"""Far above what any answer takes, far below how long the attacks last."""
ROUNDS = 3
ATTACKERS = 300


def answers(system: System) -> None:
    """The status and both health answers, each on a connection of its own."""
    key = {"X-API-Key": system.key}
    for _ in range(ROUNDS):
        for path, headers in ((OLD_API, key), ("/health/live", {}), ("/health/ready", {})):
            assert httpx.get(system.url + path, headers=headers, timeout=PATIENCE_SECONDS).status_code == 200


@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=list(BEHAVIOURS))
def test_slow_clients_do_not_stop_the_door(system: System, behaviour: Behaviour) -> None:
    with SlowClients(system.port, ATTACKERS, behaviour):
        answers(system)


def test_streams_beside_silent_clients_do_not_stop_the_door(system: System) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(limits=httpx.Limits(max_connections=100), timeout=PATIENCE_SECONDS))
        for _ in range(40):
            url, key = f"{system.url}{OLD_API}/events", {"X-API-Key": system.key}
            assert stack.enter_context(client.stream("GET", url, headers=key)).status_code == 200
        with SlowClients(system.port, 30, *BEHAVIOURS.values()), SlowClients(system.port, 30, say_nothing):
            answers(system)


async def come_and_go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Nothing but a new connection each time."""


def test_a_flood_of_connections_does_not_stop_the_door(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slow_clients.AGAIN_SECONDS", 0.2)
    with SlowClients(system.port, ATTACKERS // 2, come_and_go) as flood:
        answers(system)
        eventually_sync(lambda: flood.put_out > ATTACKERS, timeout=30, message="nobody was put out")
