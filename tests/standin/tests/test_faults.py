"""The faults of the server, of the network and of the page's modules, and what a driver sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.async_api import Error as PlaywrightError

from standin.process import StandInProcess

pytestmark = pytest.mark.browser

MODES = {
    "tos_block": ("TOS_BLOCK", "TOS_BLOCK"),
    "smb_tos_block": ("SMB_TOS_BLOCK", "SMB_TOS_BLOCK"),
    "proxyblock": ("PROXYBLOCK", "PROXYBLOCK"),
    "deprecated": ("DEPRECATED_VERSION", "DEPRECATED_VERSION"),
    "unlaunched": ("UNLAUNCHED", "OFFLINE"),
    "ban": ("TIMEOUT", "OFFLINE"),
}


@pytest.mark.parametrize("mode", MODES)
async def test_a_block_shows_in_the_models_and_never_costs_the_login(
    linked: Any, standin: StandInProcess, mode: str
) -> None:
    await linked.page.evaluate("window.events = []; WPP.on('conn.backend_event', name => events.push(name))")
    standin.phone.set_faults(mode=mode)
    socket, stream = MODES[mode]
    await linked.until(socket=socket, mode=stream)
    assert standin.phone.device().simultaneous == 0
    assert ("account_temporarily_banned" in await linked.page.evaluate("events")) == (mode == "ban")
    await linked.page.reload()
    await linked.until(socket=socket, mode=stream)
    assert (await linked.check())["loginPresent"] is True
    standin.phone.set_faults(mode="normal")
    await linked.until(socket="CONNECTED", mode="MAIN")
    assert standin.phone.device().state == "linked"


async def test_dropped_sockets_come_back_by_themselves(linked: Any, standin: StandInProcess) -> None:
    assert standin.phone.drop_sockets() == 1
    await linked.until(socket="OPENING")
    await linked.until(socket="CONNECTED", mode="MAIN")
    device = standin.phone.device()
    assert (device.logins, device.max_simultaneous) == (2, 1)


async def test_a_long_outage_is_a_timeout_and_ends_without_help(linked: Any, standin: StandInProcess) -> None:
    standin.phone.set_faults(accept_sockets=False)
    standin.phone.drop_sockets()
    state = await linked.until(socket="TIMEOUT")
    assert state["mode"] == "MAIN"
    standin.phone.set_faults(accept_sockets=True)
    await linked.until(socket="CONNECTED", info="NORMAL")


async def test_a_page_that_loads_during_an_outage_keeps_its_login(linked: Any, standin: StandInProcess) -> None:
    standin.phone.set_faults(accept_sockets=False)
    await linked.page.reload()
    await linked.until(socket="TIMEOUT", mode="OFFLINE")
    assert (await linked.check())["loginPresent"] is True
    standin.phone.set_faults(accept_sockets=True)
    await linked.until(socket="CONNECTED", mode="MAIN")


async def test_the_page_can_fail_or_hang_to_load(standin: StandInProcess) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        standin.phone.set_faults(http="error")
        assert (await http.get(standin.web_url)).status_code == 503
        standin.phone.set_faults(http="hang")
        with pytest.raises(httpx.ReadTimeout):
            await http.get(standin.web_url, timeout=0.3)
        standin.phone.set_faults(http="normal")
        assert (await http.get(standin.web_url)).status_code == 200


async def test_a_renamed_module_is_lost_by_name_and_found_by_shape(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    standin.phone.set_faults(modules={"rename": {"WAWebSocketModel": "WAWebSocketModelRenamed"}})
    await linked.page.reload()
    await eventually(lambda: linked.page.evaluate("() => Boolean(window.WPP?.isReady)"), within=20)
    with pytest.raises(PlaywrightError, match="unknown module"):
        await linked.state()
    await eventually(lambda: linked.page.evaluate("WPP.whatsapp.Socket.state === 'CONNECTED'"))


async def test_a_renamed_export_is_lost_by_shape(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    standin.phone.set_faults(modules={"rename": {"WAWebStreamModel.Stream": "StreamRenamed"}})
    await linked.page.reload()
    await eventually(lambda: linked.page.evaluate("require('WAWebStreamModel').StreamRenamed.mode === 'MAIN'"))
    assert await linked.page.evaluate("require('WAWebStreamModel').Stream === undefined")
    assert await linked.page.evaluate("WPP.whatsapp.Stream === undefined")


async def test_a_dropped_isloggedin_module_keeps_wa_js_from_being_ready(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    standin.phone.set_faults(modules={"drop": ["WAWebUserPrefsLoginTokens"], "hide": ["WAWebLinkDeviceEvents"]})
    await linked.page.reload()
    await linked.until(socket="CONNECTED")
    assert await linked.page.evaluate("Boolean(require('WAWebLinkDeviceEvents').WAWebLinkDeviceEvents)")
    assert not await linked.page.evaluate("'WAWebLinkDeviceEvents' in require('__debug').modulesMap")
    with pytest.raises(PlaywrightError, match="unknown module"):
        await linked.page.evaluate("require('WAWebUserPrefsLoginTokens')")


async def test_a_late_module_comes_late(linked: Any, standin: StandInProcess, eventually: Callable[..., Any]) -> None:
    standin.phone.set_faults(modules={"late_ms": {"WAWebCmd": 1000}})
    await linked.page.reload()
    assert not await linked.page.evaluate("'WAWebCmd' in require('__debug').modulesMap")
    await linked.until(socket="CONNECTED")
    await eventually(lambda: linked.page.evaluate("'WAWebCmd' in require('__debug').modulesMap"))


async def test_an_unknown_dialog_can_be_shown_and_taken_back(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    dialog = linked.page.get_by_role("dialog")
    standin.phone.set_faults(dialog="يرجى تأكيد هويتك")
    await dialog.wait_for()
    assert await dialog.inner_text() == "يرجى تأكيد هويتك"
    standin.phone.set_faults(dialog=None)
    await dialog.wait_for(state="detached")


async def test_a_page_can_be_made_to_hang(linked: Any, standin: StandInProcess, eventually: Callable[..., Any]) -> None:
    clock = asyncio.get_running_loop().time

    async def slow_answer() -> bool:
        began = clock()
        await linked.state()
        return clock() - began > 0.4

    standin.phone.hang_pages(1500)
    await eventually(slow_answer)
    await linked.until(socket="CONNECTED")


async def test_thirteen_thousand_modules_load_and_wa_js_finds_its_own_among_them(
    launch: Any, standin: StandInProcess
) -> None:
    standin.phone.set_settings(fillers=13_400)
    page = await launch()
    await page.wajs()
    assert await page.page.evaluate("Object.keys(require('__debug').modulesMap).length") > 13_400
    await page.until(socket="UNPAIRED")
    standin.phone.scan()
    await page.until(socket="CONNECTED", mode="MAIN")
    assert (await page.send("among many"))["ack"] == 1
    assert not page.errors
