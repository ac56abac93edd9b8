"""What WhatsApp's side does: refusals, another machine, a site that is away. No answer to it costs the session."""

from __future__ import annotations

import asyncio

import pytest
from worker_processes import Scene, WorkerProcess

from shared.contracts.sessions import SessionStatus
from shared.testing import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150)]

REFUSALS = {
    "ban": ("needs_attention", "banned"),
    "tos_block": ("needs_attention", "terms_not_accepted"),
    "proxyblock": ("needs_attention", "network_refused"),
    "deprecated": ("needs_attention", "page_outdated"),
    "unlaunched": ("reconnecting", "offline"),
}


async def kept(stage: Scene, worker: WorkerProcess) -> tuple[bool, int, tuple[str, ...]]:
    """That there is a profile, how many saves, which backups."""
    saves = [path for path in (worker.saves / worker.profile.name).iterdir() if path.is_dir()]
    backups = tuple(sorted(backup.id for backup in await stage.backups()))
    return (worker.profile / "Default" / "Local Storage").is_dir(), len(saves), backups


async def test_a_refusal_by_whatsapp_is_named_keeps_everything_and_ends_with_it(stage: Scene) -> None:
    worker = stage.started(BACKUP_INTERVAL_MS="600000")
    await stage.link()
    await stage.backed_up()
    await eventually(lambda: len(worker.lines("saved")) >= 2)
    before = await kept(stage, worker)
    for mode, (state, reason) in REFUSALS.items():
        stage.phone.set_faults(mode=mode)
        await stage.until(state, reason=reason)
        assert await kept(stage, worker) == before, mode
        stage.phone.set_faults(mode="normal")
        await stage.until("connected", timeout=30)
    assert not worker.lines("restored")
    assert stage.phone.device().max_simultaneous == 1
    assert not worker.exceptions()


async def test_a_refusal_is_tried_again_when_a_person_asks(stage: Scene) -> None:
    """The browser was started while the account was refused: nothing comes back without a request."""
    worker = stage.started()
    await stage.link()
    worker.stop()
    stage.phone.set_faults(mode="tos_block")
    worker.start()
    await stage.until("needs_attention", reason="terms_not_accepted")

    await stage.want()
    await stage.until("needs_attention", reason="terms_not_accepted", where=lambda status: status.request == 2)
    stage.phone.set_faults(mode="normal")
    await stage.want()
    await stage.until("connected")
    assert not worker.lines("restored")


async def test_a_login_elsewhere_is_answered_once_and_not_at_once(stage: Scene) -> None:
    worker = stage.started(BACKUP_INTERVAL_MS="600000")
    await stage.link()
    await stage.backed_up()
    before = await kept(stage, worker)

    stage.phone.conflict()
    await stage.until("conflict", reason="open_elsewhere")
    assert await kept(stage, worker) == before
    await stage.until("connected", timeout=25)
    stage.phone.conflict()
    await stage.until("conflict", reason="open_elsewhere")
    await eventually(lambda: worker.lines("needs_attention"), timeout=15, message="a person is called")

    await stage.want()
    await stage.until("connected", timeout=15)
    assert await kept(stage, worker) == before
    assert stage.phone.device().foreign_logins == 2
    assert stage.phone.device().max_simultaneous == 1


@pytest.mark.parametrize(
    "fault", [{"http": "error"}, {"http": "hang"}, {"accept_sockets": False}], ids=["error", "hang", "no sockets"]
)
async def test_a_site_that_is_away_at_the_start_is_waited_for(stage: Scene, fault: dict[str, object]) -> None:
    worker = stage.started(BACKUP_INTERVAL_MS="600000", SESSION_TIMEOUT_MS="4000")
    await stage.link()
    await stage.backed_up()
    assert worker.stop() == 0
    before = await kept(stage, worker)
    stage.phone.set_faults(**fault)
    worker.start()
    start = await stage.until("starting", "reconnecting", where=lambda status: status.epoch > 1)

    down = await stays_away(stage, 6)
    assert not down.pairing.qr
    stage.phone.set_faults(http="normal", accept_sockets=True)
    after = await stage.until("connected", timeout=30)

    assert "pairing" not in [change.state for change in after.history]
    assert "restoring" not in [change.state for change in after.history if change.at >= start.since]
    assert (await kept(stage, worker))[2] == before[2]
    assert not worker.lines("restored")
    assert stage.phone.device().max_simultaneous == 1
    assert not worker.exceptions()


async def test_a_network_that_goes_away_is_waited_for_with_the_same_profile(stage: Scene) -> None:
    worker = stage.started()
    before = await stage.link()
    stage.phone.set_faults(accept_sockets=False)
    stage.phone.drop_sockets()
    await stage.until("reconnecting", reason="offline")

    await stays_away(stage, 4)
    stage.phone.set_faults(accept_sockets=True)
    after = await stage.until("connected", where=lambda status: status.since > before.since)

    assert "restoring" not in [change.state for change in after.history if change.at > before.since]
    assert not worker.lines("restored")
    assert stage.phone.device().max_simultaneous == 1
    assert not worker.exceptions()


async def stays_away(stage: Scene, seconds: int) -> SessionStatus:
    """The site is down for so long."""
    status = None
    for _ in range(seconds):
        await asyncio.sleep(1)
        status = await stage.status()
        assert status is not None
        assert status.state in ("starting", "reconnecting"), (status.state, status.reason)
    assert status is not None
    return status
