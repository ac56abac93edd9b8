"""The bus: what the credentials of one service let it do to the others. Issue 6 sent a real message like this."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from nats.aio.client import Client
from whole_system import System

from shared.bus.credentials import identity, public_key
from shared.bus.requests import request_headers
from shared.clock import SystemClock
from shared.contracts.commands import SEND_TEST, SendTest
from shared.contracts.message import SIGNATURE, encode, inbox_of
from shared.contracts.subjects import (
    LEASES_BUCKET,
    SESSIONS_BUCKET,
    STATUS_BUCKET,
    ServiceName,
    command,
    key_of_bucket,
)
from shared.testing import eventually_sync
from standin.client import Phone

SESSION = "whatsapp-automation-pro-v2"
NUMBER = "201234567890"
FOREIGN_TEXT = f"not from the owner {uuid4().hex}"


def as_user(system: System, user: str, attack: Callable[[Client], Awaitable[None]]) -> None:
    """With the credentials of a service, as whoever has broken into it holds them."""

    async def run() -> None:
        port = json.loads((system.data / "run" / "ports.json").read_text())["nats"]
        client = Client()
        await client.connect(
            f"nats://127.0.0.1:{port}", nkeys_seed_str=seed_of(system, user), inbox_prefix=inbox_of(user)
        )
        try:
            await attack(client)
            await client.flush(timeout=10)
        finally:
            await client.close()

    asyncio.run(run())


def seed_of(system: System, user: str) -> str:
    return (system.data / "keys" / f"nkey-{user}").read_text().strip()


def refusals(system: System) -> int:
    return sum(line["event"] == "message_refused" for line in system.log_of("browser-worker"))


@pytest.mark.parametrize("signed", [False, True], ids=["plain", "signed by the thief's own key"])
def test_a_message_that_jetstream_delivers_as_a_command_is_not_sent(
    system: System, phone: Phone, *, signed: bool
) -> None:
    """The attack of issue 6: the worker's user may not publish commands, but it may store bytes and make consumers."""
    data = encode(SendTest(phone_number=NUMBER, text=FOREIGN_TEXT))
    target, stored = command(SEND_TEST, SESSION), key_of_bucket(LEASES_BUCKET, f"x-{uuid4().hex}")
    headers = request_headers(SystemClock(), 60.0, None)
    if signed:
        keys = {user.value: public_key(seed_of(system, user)) for user in ServiceName}
        thief = identity(ServiceName.WORKER, seed_of(system, ServiceName.WORKER), keys)
        headers[SIGNATURE] = thief.sign(target, headers, data)
    before = refusals(system)

    async def attack(client: Client) -> None:
        await client.request(stored, data, headers=headers, timeout=10)
        config = {"deliver_subject": target, "ack_policy": "none", "filter_subject": stored, "mem_storage": True}
        body = json.dumps({"stream_name": f"KV_{LEASES_BUCKET}", "config": config}).encode()
        answer = json.loads((await client.request(f"$JS.API.CONSUMER.CREATE.KV_{LEASES_BUCKET}", body)).data)
        assert "error" not in answer, "JetStream itself lets everybody do this"

    as_user(system, ServiceName.WORKER, attack)
    if not before:  # a refusal of one kind is logged once
        eventually_sync(lambda: refusals(system) > before, timeout=10, message="the worker refuses and says so")
    assert phone.messages() == []
    assert system.state() == "connected"


def test_records_that_nats_was_made_to_write_over_stop_nothing_and_are_written_again(
    system: System, phone: Phone
) -> None:
    """Health reads two buckets and writes none, but JetStream answers it wherever it wants."""

    async def attack(client: Client) -> None:
        for _ in range(20):
            for bucket in (SESSIONS_BUCKET, STATUS_BUCKET, LEASES_BUCKET):
                question = f"$JS.API.STREAM.INFO.KV_{STATUS_BUCKET}"
                await client.publish(question, b"", reply=key_of_bucket(bucket, SESSION))
            await asyncio.sleep(0.1)

    as_user(system, ServiceName.HEALTH, attack)
    rewritten = [line for line in system.log_of("gateway") if line["event"] == "record_written_again"]
    assert rewritten
    text = f"from the owner {uuid4().hex}"
    sent = system.post("send-test-message", phoneNumber=NUMBER, message=text)
    assert sent.status_code == 200, sent.text
    assert [each.text for each in phone.messages()] == [text]
    events = {line["event"] for line in system.log_of("browser-worker")}
    assert events.isdisjoint({"lease_lost", "browser_killed"})


def test_no_log_holds_a_message_or_a_number(system: System) -> None:
    for log in (system.data / "logs").glob("*.log"):
        text = log.read_text(errors="replace")
        assert FOREIGN_TEXT not in text, log.name
        assert NUMBER not in text, log.name
