"""One account, two workers: who may act, and when it passes on."""

from __future__ import annotations

import asyncio
import secrets
import signal

import pytest
from worker_processes import Scene, WorkerProcess, lives

from shared.contracts.backups import STORE_SNAPSHOT, Stored, StoreSnapshot
from shared.contracts.errors import Fenced
from shared.contracts.sessions import DesiredState
from shared.testing import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


async def two_workers(stage: Scene) -> tuple[WorkerProcess, WorkerProcess]:
    """The first is linked, connected and backed up; the second stands by with an empty disk."""
    first = stage.started("first")
    await stage.link()
    await stage.backed_up()
    return first, stage.started("second")


async def standing_by(stage: Scene, worker: WorkerProcess) -> None:
    """It competes, and a living owner keeps what it has."""
    await eventually(lambda: worker.lines("worker_started"), timeout=20)
    await asyncio.sleep(1)
    lease = await stage.lease()
    assert lease is not None
    assert (lease.owner, lease.released) == ("first", False)


async def refuses_epoch(stage: Scene, epoch: int) -> None:
    late = StoreSnapshot(snapshot=secrets.token_hex(16), epoch=epoch, manifest_chunks=("0" * 64,), total_bytes=1)
    with pytest.raises(Fenced):
        await stage.request(STORE_SNAPSHOT, late, Stored)


async def test_after_a_kill_of_the_owner_the_other_one_restores_and_never_two_are_logged_in(stage: Scene) -> None:
    first, second = await two_workers(stage)
    await standing_by(stage, second)
    before = await stage.status()
    assert before is not None

    first.kill()
    after = await stage.until("connected", by="second")

    assert after.epoch > before.epoch
    assert "pairing" not in [change.state for change in after.history]
    assert second.lines("restored")
    await refuses_epoch(stage, before.epoch)
    assert stage.phone.device().max_simultaneous == 1


async def test_an_owner_that_was_frozen_for_longer_than_its_lease_has_no_browser_when_it_wakes(stage: Scene) -> None:
    first, second = await two_workers(stage)
    await standing_by(stage, second)
    before = await stage.status()
    assert before is not None
    browser = first.browser()

    first.signal(signal.SIGSTOP)

    async def taken() -> bool:
        lease = await stage.lease()
        return lease is not None and lease.owner == "second"

    await eventually(taken, interval=0.01)
    assert not [process for process in browser if lives(process)], "it ran on when the lease had passed on"
    after = await stage.until("connected", by="second")
    logins = stage.phone.device().logins
    first.signal(signal.SIGCONT)
    await eventually(lambda: [line for line in first.lines("session_state") if line["reason"] == "lease_lost"])

    assert after.epoch > before.epoch
    assert not first.browser()
    await refuses_epoch(stage, before.epoch)
    device = stage.phone.device()
    assert (device.max_simultaneous, device.max_active, device.logins) == (1, 1, logins)
    now = await stage.status()
    assert now is not None
    assert (now.worker, now.state) == ("second", "connected")


async def test_an_orderly_stop_hands_over_at_once_with_what_was_written_last(stage: Scene) -> None:
    first, second = await two_workers(stage)
    await standing_by(stage, second)
    earlier = {backup.id for backup in await stage.backups()}
    marker = secrets.token_hex(12)
    stage.phone.write(marker)
    await eventually(lambda: all(message.delivered_at for message in stage.phone.incoming_messages()))

    assert first.stop() == 0
    released = await stage.lease()
    assert released is not None
    taken = await eventually(lambda: second.lines("lease_acquired"), timeout=1.0, interval=0.02)
    assert taken
    await stage.until("connected", by="second")

    restored = [line["copy"] for line in second.lines("restored")]
    assert len(restored) == 1
    assert restored[0] not in earlier
    assert holds(second, marker)
    assert stage.phone.device().max_simultaneous == 1


async def handed_to_the_second(stage: Scene) -> tuple[WorkerProcess, WorkerProcess]:
    """The first is stopped and keeps its disk; the second has the session."""
    first, second = await two_workers(stage)
    await standing_by(stage, second)
    assert first.stop() == 0
    await stage.until("connected", by="second")
    return first, second


async def test_a_worker_that_gets_the_session_back_takes_the_newest_copy_and_not_its_own_old_profile(
    stage: Scene,
) -> None:
    first, second = await handed_to_the_second(stage)
    marker = secrets.token_hex(12)
    stage.phone.write(marker)
    await eventually(lambda: all(message.delivered_at for message in stage.phone.incoming_messages()))
    assert not holds(first, marker)

    assert second.stop() == 0
    first.start()
    await stage.until("connected", by="first", where=lambda status: status.epoch > 2)

    assert holds(first, marker)
    assert stage.phone.device().max_simultaneous == 1


async def test_a_worker_whose_old_profile_was_cleared_elsewhere_offers_a_new_link(stage: Scene) -> None:
    first, second = await handed_to_the_second(stage)
    await stage.backed_up()
    request = await stage.want(DesiredState.CLEARED)
    await stage.until("stopped", where=lambda status: status.request == request)
    assert second.stop() == 0

    first.start()
    await stage.want()
    await stage.until("pairing", by="first", where=lambda status: bool(status.pairing.qr))
    stage.phone.scan()
    await stage.until("connected", by="first")
    assert [device.max_simultaneous for device in stage.phone.devices()] == [1, 1]


def holds(worker: WorkerProcess, marker: str) -> bool:
    """The text lies in the page's database (as one or two bytes a letter)."""
    files = [path for path in (worker.profile / "Default" / "IndexedDB").rglob("*") if path.is_file()]
    texts = (marker.encode(), marker.encode("utf-16-le"))
    return any(text in path.read_bytes() for path in files for text in texts)
