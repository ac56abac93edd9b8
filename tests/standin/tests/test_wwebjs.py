"""The unmodified whatsapp-web.js client on the TLS port: links, restarts without a code, sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from old_client import OldClient

from standin.process import StandInProcess

pytestmark = pytest.mark.browser


@pytest.fixture
async def clients(standin: StandInProcess, tmp_path: Path, browser_path: Path) -> AsyncIterator[Any]:
    started: list[OldClient] = []

    async def start() -> OldClient:
        client = await OldClient.start(standin.ready.tls_port or 0, tmp_path / "old-profiles", browser_path)
        started.append(client)
        return client

    yield start
    for client in started:
        await client.end()


async def test_the_old_client_links_restarts_without_a_code_and_sends(clients: Any, standin: StandInProcess) -> None:
    first = await clients()
    qr = (await first.event("qr"))["value"]
    assert len(qr.split(",")) == 5
    standin.phone.scan(text=qr)
    await first.event("ready")
    assert [event["event"] for event in first.events].count("qr") == 1
    sent = await first.ask("send", to="201234567890@c.us", text="from the old client")
    [message] = standin.phone.messages()
    assert (message.id, message.text, message.copies) == (sent["id"], "from the old client", 1)
    ack = await first.event("message_ack")
    assert (ack["id"], ack["ack"]) == (sent["id"], 1)
    standin.phone.write("an answer")
    assert (await first.event("message"))["body"] == "an answer"
    await first.ask("stop")

    second = await clients()
    await second.event("ready")
    assert "qr" not in [event["event"] for event in second.events]
    state = await second.ask("state")
    assert (state["state"], state["me"]) == ("CONNECTED", "201000000001@c.us")
    await second.ask("send", to="201234567890@c.us", text="again")
    assert [message.text for message in standin.phone.messages()] == ["from the old client", "again"]
    await second.ask("stop")
    device = standin.phone.device()
    assert (device.logins, device.max_simultaneous) == (2, 1)


async def test_the_old_client_hears_of_an_unlink(clients: Any, standin: StandInProcess) -> None:
    client = await clients()
    await client.event("qr")
    standin.phone.scan()
    await client.event("ready")
    standin.phone.unlink()
    assert (await client.event("disconnected"))["value"] == "LOGOUT"
