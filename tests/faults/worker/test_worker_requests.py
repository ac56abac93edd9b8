"""Start, stop, clear and initialize at any moment: the last one counts, and nothing torn is left in the store."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from worker_processes import Scene, WorkerProcess

from browser_worker.adapters.backup_client import BusBackupService
from shared.contracts.commands import BACK_UP_NOW, BackedUp, BackUpNow
from shared.contracts.errors import ServiceError
from shared.contracts.sessions import DesiredState
from shared.contracts.snapshots import digest
from shared.testing import eventually
from standin.client import RefusedError

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150)]

REQUESTS = 15
SEED = os.environ.get("REQUESTS_SEED", "")
"""Another text gives other scripts."""


@asynccontextmanager
async def somebody_scans(stage: Scene) -> AsyncIterator[None]:
    """Whatever QR the status shows is scanned at once."""

    async def scanning() -> None:
        while True:
            status = await stage.status()
            if status is not None and status.pairing.qr:
                with suppress(RefusedError):
                    stage.phone.scan(text=status.pairing.qr)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(scanning())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("last", "names"),
    [
        (DesiredState.RUNNING, ["one"]),
        (DesiredState.STOPPED, ["one"]),
        (DesiredState.CLEARED, ["one"]),
        (DesiredState.RUNNING, ["one", "two"]),
    ],
    ids=["running", "stopped", "cleared", "running on two workers"],
)
async def test_requests_at_will_end_in_the_state_of_the_last_one(
    stage: Scene, last: DesiredState, names: list[str]
) -> None:
    script = random.Random(f"{SEED}requests-{last}-{len(names)}")
    workers = [stage.started(name) for name in names]
    async with somebody_scans(stage):
        await stage.want()
        await stage.until("connected")
        for _ in range(REQUESTS - 2):
            await stage.want(
                script.choice([DesiredState.RUNNING, DesiredState.RUNNING, DesiredState.STOPPED, DesiredState.CLEARED])
            )
            await asyncio.sleep(script.choice([0.0, 0.05, 0.3, 1.0, 2.5]))
        request = await stage.want(last)
        await ends_in(stage, workers[0], last, request)
    assert not [found for worker in workers for found in worker.exceptions()]
    assert max(device.max_simultaneous for device in stage.phone.devices()) == 1


async def ends_in(stage: Scene, worker: WorkerProcess, wanted: DesiredState, request: int) -> None:
    if wanted is DesiredState.RUNNING:
        await stage.until("connected", where=lambda status: status.request == request, timeout=60)
        return
    if wanted is DesiredState.CLEARED:
        await stage.until("stopped", where=lambda status: status.request == request, timeout=60)

    async def ended() -> bool:
        status, lease = await stage.status(), await stage.lease()
        return status is not None and status.state == "stopped" and lease is not None and lease.released

    await eventually(ended, timeout=15)
    await asyncio.sleep(1)
    assert await ended()
    assert not worker.browser()
    if wanted is DesiredState.CLEARED:
        assert not (worker.profile / "Default").exists()
        assert {backup.state for backup in await stage.backups()} <= {"cleared"}
        assert {device.state for device in stage.phone.devices()} == {"unlinked"}


@pytest.mark.parametrize("interruption", ["clear", "logout"])
async def test_what_interrupts_a_backup_leaves_none_that_is_torn(stage: Scene, interruption: str) -> None:
    worker = stage.started(BACKUP_INTERVAL_MS="600000")
    stage.phone.set_history(target_mb=24)
    await stage.link()
    await stage.backed_up()
    saves = len(worker.lines("saved"))
    await eventually(lambda: profile_bytes(worker) > 20_000_000, timeout=30)

    backup = asyncio.create_task(stage.request(BACK_UP_NOW, BackUpNow(), BackedUp, timeout=40))
    await eventually(lambda: len(worker.lines("saved")) > saves, interval=0.01)
    if interruption == "clear":
        request = await stage.want(DesiredState.CLEARED)
        await stage.until("stopped", where=lambda status: status.request == request)
    else:
        stage.phone.unlink()
        await stage.until("logged_out")
    with suppress(ServiceError):
        await backup

    listed = await stage.backups()
    assert listed
    for each in listed:
        assert each.state != "bad"
        assert await whole(stage, each.id)
    if interruption == "clear":
        assert {each.state for each in listed} == {"cleared"}
    assert not worker.exceptions()


def profile_bytes(worker: WorkerProcess) -> int:
    total = 0
    for path in (worker.profile / "Default" / "IndexedDB").rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total


async def whole(stage: Scene, backup_id: str) -> bool:
    """Every chunk of it can be fetched, and is what the manifest says."""
    source = BusBackupService(stage.worker_bus, stage.session).source(backup_id)
    manifest = await source.manifest()
    chunks = {chunk for file in manifest.files for chunk in file.chunks}
    assert chunks
    return all([digest(await source.chunk(chunk)) == chunk for chunk in chunks])
