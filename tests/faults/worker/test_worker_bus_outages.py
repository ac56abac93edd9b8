"""NATS frozen, killed, or back with nothing: what the browser may do during the outage and after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from worker_processes import NUMBER, Scene, ground, lives, scene, stopped

from shared.bus import create_streams
from shared.contracts.commands import SEND_TEST, SendResult, SendTest
from shared.testing import S3Server, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

TTL = 3.0


@pytest.fixture
async def stage(tmp_path: Path, s3: S3Server) -> AsyncIterator[Scene]:
    """With a NATS of its own."""
    with ground(tmp_path / "ground", s3) as made:
        async with scene(tmp_path / "scene", made) as opened:
            yield opened


@pytest.mark.parametrize("outage", ["frozen", "killed"])
async def test_a_fenced_worker_stops_its_browser_while_nats_is_away_and_thaws_it_afterwards(
    stage: Scene, outage: str
) -> None:
    # saves fall due again and again: none of them may thaw the browser
    worker = stage.started(LEASE_POLICY="fence", FORCE_SAVE_INTERVAL_MS="300")
    before = await stage.link()
    logins = stage.phone.device().logins
    browser, main = worker.browser(), worker.main_process()
    nats = stage.ground.nats

    nats.process.freeze() if outage == "frozen" else nats.kill()
    await seconds(TTL)
    for _ in range(30):
        assert stopped(browser), [process.status() for process in browser]
        await seconds(0.1)
    nats.process.thaw() if outage == "frozen" else nats.restart()

    await eventually(lambda: not stopped([main]), timeout=15, message="the browser runs again")
    assert lives(main)
    after = await stage.until("connected", where=lambda status: status.updated_at > before.updated_at)
    assert (after.epoch, after.worker) == (before.epoch, before.worker)
    await sends(stage, "after the outage")
    device = stage.phone.device()
    assert (device.max_simultaneous, device.logins) == (1, logins)
    assert not worker.exceptions()


@pytest.mark.parametrize("outage", ["frozen", "killed", "without its data"])
async def test_a_lone_worker_runs_on_without_nats_and_is_heard_of_again(stage: Scene, outage: str) -> None:
    worker = stage.started(LEASE_POLICY="keep")
    await stage.link()
    logins = stage.phone.device().logins
    main = worker.main_process()
    nats = stage.ground.nats

    nats.process.freeze() if outage == "frozen" else nats.kill()
    stage.phone.write("while NATS is away")
    await eventually(lambda: all(message.delivered_at for message in stage.phone.incoming_messages()))
    await seconds(TTL)
    assert not await stands_still(main)
    if outage == "without its data":
        nats.lose_data()
    nats.process.thaw() if outage == "frozen" else nats.restart()
    await eventually(lambda: stage.bus.connected, timeout=20)
    await create_streams(stage.bus)
    if outage == "without its data":
        await stage.want()

    await stage.until("connected")
    await eventually(stage.lease, timeout=15, message="the lease is written again")
    await sends(stage, "after the outage")
    device = stage.phone.device()
    assert (device.max_simultaneous, device.logins, lives(main)) == (1, logins, True)
    assert not worker.exceptions()


async def sends(stage: Scene, text: str) -> None:
    """As soon as the worker serves again."""

    async def sent() -> bool:
        message = SendTest(phone_number=NUMBER, text=text)
        result: SendResult = await stage.request(SEND_TEST, message, SendResult, command_id=COMMAND)
        return result.outcome == "sent"

    async def attempt() -> bool:
        try:
            return await sent()
        except Exception as error:
            raise AssertionError(error) from error

    await eventually(attempt, timeout=20)
    assert [(message.text, message.copies) for message in stage.phone.messages()] == [(text, 1)]


COMMAND = "c0ffee00c0ffee00c0ffee00c0ffee00"


async def stands_still(process: psutil.Process) -> bool:
    """Stopped for a while, so not for a snapshot alone."""
    looks = []
    for _ in range(20):
        looks.append(stopped([process]))
        await seconds(0.05)
    return all(looks)


async def seconds(length: float) -> None:
    """The fault itself lasts so long; nothing else is waited for."""
    await asyncio.sleep(length)
