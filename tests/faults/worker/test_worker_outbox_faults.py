"""A test message whose worker dies before the acknowledgement is never sent a second time."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest
from worker_processes import NUMBER, Scene

from shared.contracts.commands import ASK_COMMAND, SEND_TEST, AskCommand, SendResult, SendTest
from shared.contracts.errors import ServiceError
from shared.testing import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

COMMAND = "0123456789abcdef0123456789abcdef"
TEXT = "sent once or never"


@pytest.mark.parametrize("ack", ["blackhole", "lost"])
async def test_a_worker_killed_before_the_acknowledgement_does_not_send_again(stage: Scene, ack: str) -> None:
    worker = stage.started()
    await stage.link()
    await stage.until("connected", where=lambda status: status.browser.send_ok)
    stage.phone.set_faults(ack=ack)
    sending = asyncio.create_task(send(stage))
    outbox = worker.sessions / f"{worker.profile.name}.worker" / "outbox.sqlite"
    await eventually(lambda: intended(outbox), interval=0.01)
    if ack == "lost":
        await eventually(lambda: len(stage.phone.messages()) == 1, interval=0.01)

    worker.kill()
    sending.cancel()
    with suppress(ServiceError, asyncio.CancelledError):
        await sending
    stage.phone.set_faults(ack="normal")
    worker.start()
    await stage.until("connected", where=lambda status: status.epoch > 1 and status.browser.send_ok)

    asked: SendResult = await stage.request(ASK_COMMAND, AskCommand(command_id=COMMAND), SendResult)
    assert asked.outcome in ("intended", "unknown", "sent")
    again = await send(stage)
    assert again.repeated
    assert again.message_id == asked.message_id
    assert again.outcome != "failed"
    known = [message for message in stage.phone.messages() if message.text == TEXT]
    assert len(known) <= 1
    assert all(message.id.endswith(again.message_id.rsplit("_", 1)[-1]) for message in known)
    assert not worker.exceptions()


async def send(stage: Scene) -> SendResult:
    message = SendTest(phone_number=NUMBER, text=TEXT)
    answer: SendResult = await stage.request(SEND_TEST, message, SendResult, command_id=COMMAND)
    return answer


def intended(outbox: Path) -> bool:
    if not outbox.exists():
        return False
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as journal:
        tables = [name for (name,) in journal.execute("select name from sqlite_master where type = 'table'")]
        return any(journal.execute(f"select count(*) from {name}").fetchone()[0] for name in tables)
