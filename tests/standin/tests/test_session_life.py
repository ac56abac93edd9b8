"""Restarts, lost halves, logouts, conflicts, and the count that proves that nobody was logged in twice."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from standin.process import StandInProcess

pytestmark = pytest.mark.browser

CLEARED = """async () => ({
    url: location.search,
    local: Object.keys(localStorage).filter(key => key === 'last-wid-md'),
    token: (await __standin.checkInvariants()).loginPresent,
})"""


async def test_the_same_profile_is_connected_again_without_a_code(
    linked: Any, launch: Any, standin: StandInProcess
) -> None:
    await linked.close()
    again = await launch()
    state = await again.until(socket="CONNECTED", mode="MAIN")
    assert state["me"] == "201000000001@c.us"
    device = standin.phone.device()
    assert (device.logins, device.max_simultaneous) == (2, 1)


async def test_a_linked_page_is_connected_soon_after_navigation(
    linked: Any, launch: Any, standin: StandInProcess
) -> None:
    await linked.close()
    again = await launch(wajs=False, go=False)
    await again.page.goto("about:blank")
    await again.context.add_init_script(
        "addEventListener('DOMContentLoaded', () => require('WAWebSocketModel').Socket.on('change:state',"
        " (_, state) => { if (state === 'CONNECTED') window.connectedAfter = performance.now(); }))"
    )
    await again.page.goto(standin.web_url)
    await again.until(socket="CONNECTED")
    assert await again.page.evaluate("connectedAfter") < 1000


@pytest.mark.parametrize(
    "loss",
    [
        "localStorage.clear()",
        "localStorage.removeItem('WANoiseInfoIv')",
        "new Promise(done => { indexedDB.deleteDatabase('wawc_db_enc').onsuccess = done; })",
        "new Promise(done => { indexedDB.deleteDatabase('signal-storage').onsuccess = done; })",
    ],
)
async def test_half_of_the_identity_is_no_login(linked: Any, launch: Any, standin: StandInProcess, loss: str) -> None:
    await linked.page.goto(standin.web_url + "/page/style.css")
    await linked.page.evaluate(loss)
    await linked.close()
    again = await launch()
    await again.until(socket="UNPAIRED", mode="QR")
    assert standin.phone.device().logins == 1


async def test_a_login_that_the_browser_has_not_written_down_yet_dies_with_it(
    launch: Any, standin: StandInProcess
) -> None:
    """Chromium writes localStorage seconds late: whoever does not see to it loses a fresh link to a SIGKILL."""
    page = await launch(wajs=False)
    await page.until(socket="UNPAIRED")
    standin.phone.scan()
    await page.until(socket="CONNECTED")
    page.signal(signal.SIGKILL)
    again = await launch(wajs=False)
    await again.until(socket="UNPAIRED", mode="QR")


async def test_a_logout_on_the_page_unlinks_the_device_and_wipes_the_profile(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    assert await linked.page.evaluate("WPP.conn.logout()") is True
    await linked.page.wait_for_url("**/?post_logout=1*")
    await linked.until(socket="UNPAIRED", mode="QR")
    assert await linked.page.evaluate(CLEARED) == {"url": "?post_logout=1&logout_reason=0", "local": [], "token": False}
    [device] = standin.phone.devices()
    assert (device.state, device.unlink_reason) == ("unlinked", "logged out on the device")


async def test_an_unlink_on_the_phone_wipes_the_profile_too(linked: Any, standin: StandInProcess) -> None:
    standin.phone.unlink()
    await linked.page.wait_for_url("**/?post_logout=1*")
    await linked.until(socket="UNPAIRED", mode="QR")
    assert (await linked.page.evaluate(CLEARED))["token"] is False
    standin.phone.scan()
    await linked.until(socket="CONNECTED")
    assert [device.state for device in standin.phone.devices()] == ["unlinked", "linked"]


async def test_an_unlink_while_the_page_was_away_is_learned_at_the_next_login(
    linked: Any, launch: Any, standin: StandInProcess
) -> None:
    await linked.close()
    standin.phone.unlink()
    again = await launch()
    await again.page.wait_for_url("**/?post_logout=1*")
    await again.until(socket="UNPAIRED")


async def test_a_second_login_is_a_conflict_for_the_first_and_is_counted(
    linked: Any, launch: Any, standin: StandInProcess, tmp_path: Path
) -> None:
    await linked.close()
    shutil.copytree(linked.profile, tmp_path / "copy", ignore=shutil.ignore_patterns("Singleton*"))
    first = await launch()
    await first.until(socket="CONNECTED")
    second = await launch("copy")
    await second.until(socket="CONNECTED")
    await first.until(socket="CONFLICT", mode="CONFLICT")
    assert await first.page.locator("[data-testid=use-here]").count() == 1
    device = standin.phone.device()
    assert (device.max_simultaneous, device.max_active, device.simultaneous) == (2, 2, 1)
    await first.page.evaluate("require('WAWebSocketModel').Socket.takeover()")
    await first.until(socket="CONNECTED", mode="MAIN")
    await second.until(socket="CONFLICT")
    await second.page.click("[data-testid=use-here]")
    await second.until(socket="CONNECTED", mode="MAIN")
    await first.until(socket="CONFLICT")


async def test_a_foreign_login_is_a_conflict_that_can_be_taken_over_and_is_counted_apart(
    linked: Any, standin: StandInProcess
) -> None:
    assert standin.phone.conflict() == 1
    await linked.until(socket="CONFLICT", mode="CONFLICT")
    await linked.page.evaluate("WPP.whatsapp.Socket.takeover()")
    await linked.until(socket="CONNECTED", mode="MAIN")
    device = standin.phone.device()
    assert (device.foreign_logins, device.max_simultaneous, device.state) == (1, 1, "linked")


async def test_reloads_and_quick_restarts_are_never_counted_as_two(
    linked: Any, launch: Any, standin: StandInProcess
) -> None:
    for _ in range(5):
        await linked.page.reload()
        await linked.until(socket="CONNECTED")
    await linked.close()
    again = await launch(wajs=False)
    await again.until(socket="CONNECTED")
    fresh = await again.context.new_page()
    await again.page.close()
    await fresh.goto(standin.web_url)
    again.page = fresh
    await again.until(socket="CONNECTED")
    again.signal(signal.SIGKILL)
    third = await launch(wajs=False)
    await third.until(socket="CONNECTED")
    device = standin.phone.device()
    assert (device.max_simultaneous, device.logins) == (1, 9)


async def test_a_stopped_browser_counts_as_open_but_not_as_active(
    linked: Any, launch: Any, standin: StandInProcess, tmp_path: Path
) -> None:
    await linked.close()
    shutil.copytree(linked.profile, tmp_path / "copy", ignore=shutil.ignore_patterns("Singleton*"))
    first = await launch(wajs=False)
    await first.until(socket="CONNECTED")
    first.signal(signal.SIGSTOP)
    second = await launch("copy", wajs=False)
    await second.until(socket="CONNECTED")
    device = standin.phone.device()
    assert (device.max_simultaneous, device.max_active, device.simultaneous) == (2, 1, 1)
    first.signal(signal.SIGCONT)
    await first.until(socket="CONFLICT")
