"""The worker, its browser or a page of it killed or hung: the session connects again, on the same profile."""

from __future__ import annotations

import pytest
from worker_processes import Scene, lives

from shared.contracts.sessions import SessionStatus
from shared.testing import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


async def connected_again(stage: Scene, before: SessionStatus, *, timeout: float = 30.0) -> SessionStatus:
    """Connected later than `before`, and on the way neither a QR nor another copy."""
    after = await stage.until("connected", where=lambda status: status.since > before.since, timeout=timeout)
    states = [change.state for change in after.history if change.at > before.since]
    assert "pairing" not in states
    assert "restoring" not in states
    device = stage.phone.device()
    assert device.max_simultaneous == 1
    return after


async def test_a_killed_worker_leaves_no_browser_behind_and_connects_after_its_restart(stage: Scene) -> None:
    worker = stage.started()
    before = await stage.link()
    browser = worker.browser()
    assert len(browser) > 2

    worker.kill()

    await eventually(lambda: not [each for each in browser if lives(each)], timeout=4, message="the browser ended too")
    assert not worker.browser()
    worker.start()
    after = await connected_again(stage, before)
    assert after.epoch > before.epoch
    assert not worker.lines("restored")


async def test_a_worker_killed_beside_a_frozen_browser_leaves_none_behind(stage: Scene) -> None:
    """A browser that is stopped cannot end when the pipe to it closes."""
    worker = stage.started()
    await stage.link()
    browser = worker.browser()
    for process in browser:
        process.suspend()

    worker.kill()

    await eventually(lambda: not [each for each in browser if lives(each)], timeout=4, message="the browser ended too")


async def test_a_killed_browser_is_started_again_on_the_same_profile(stage: Scene) -> None:
    worker = stage.started()
    before = await stage.link()

    worker.main_process().kill()

    await connected_again(stage, before, timeout=15)
    assert not worker.lines("restored")
    assert not worker.exceptions()


async def test_a_browser_killed_again_and_again_is_never_answered_with_an_older_copy(stage: Scene) -> None:
    """It connects each time, so the profile is good: the way out is another browser, not another profile."""
    worker = stage.started()
    status = await stage.link()
    await stage.backed_up()
    for _ in range(4):
        worker.main_process().kill()
        status = await connected_again(stage, status)
    assert not worker.lines("restored")


async def test_a_killed_page_is_opened_again(stage: Scene) -> None:
    worker = stage.started()
    before = await stage.link()

    for renderer in worker.renderers():
        renderer.kill()

    await connected_again(stage, before, timeout=15)
    assert not worker.exceptions()


async def test_a_page_that_hangs_is_found_and_replaced_within_the_browser_timeout(stage: Scene) -> None:
    worker = stage.started(BROWSER_TIMEOUT_MS="3000")
    before = await stage.link()

    stage.phone.hang_pages(600_000)

    await stage.until("reconnecting", reason="browser_hangs", timeout=6)
    await connected_again(stage, before, timeout=20)
    assert not worker.lines("restored")
    assert not worker.exceptions()


async def test_a_frozen_browser_is_found_and_replaced_within_the_browser_timeout(stage: Scene) -> None:
    worker = stage.started(BROWSER_TIMEOUT_MS="3000")
    before = await stage.link()

    for process in worker.browser():
        process.suspend()

    await stage.until("reconnecting", reason="browser_hangs", timeout=6)
    await connected_again(stage, before, timeout=20)
    assert not worker.exceptions()
