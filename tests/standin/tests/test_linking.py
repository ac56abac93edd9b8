"""From the QR code or the phone number to MAIN, as wa-js sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from standin.client import RefusedError
from standin.process import StandInProcess

pytestmark = pytest.mark.browser


async def test_wa_js_is_ready_on_the_qr_page_and_reads_the_code_that_is_displayed(launch: Any) -> None:
    page = await launch()
    await page.wajs()
    state = await page.until(socket="UNPAIRED", mode="QR")
    assert state["me"] is None
    code = await page.page.evaluate("WPP.conn.getAuthCode()")
    shown = await page.page.get_attribute("[data-ref]", "data-ref")
    assert shown is not None
    assert shown.split(",")[:4] == code["fullCode"].split(",")
    assert len(shown.split(",")) == 5
    assert await page.page.evaluate("WPP.conn.isAuthenticated()") is False
    assert not page.errors


async def test_a_scan_brings_the_page_to_main_with_its_own_number(launch: Any, standin: StandInProcess) -> None:
    page = await launch()
    await page.wajs()
    await page.until(socket="UNPAIRED")
    began = asyncio.get_running_loop().time()
    device = standin.phone.scan()
    state = await page.until(socket="CONNECTED", mode="MAIN", info="NORMAL")
    assert asyncio.get_running_loop().time() - began < 2.0
    assert state["me"] == "201000000001@c.us"
    assert await page.page.evaluate("WPP.conn.getMyUserId()._serialized") == "201000000001@c.us"
    assert await page.page.evaluate("WPP.conn.isAuthenticated()") is True
    assert await page.page.evaluate("WPP.conn.getAuthCode()") is None
    linked = standin.phone.device()
    assert (linked.id, linked.logins, linked.simultaneous, linked.max_simultaneous) == (device, 1, 1, 1)
    assert await page.page.locator("#pane-side").count() == 1
    assert not page.errors


async def test_everything_is_readable_by_name_with_no_library_in_the_page(launch: Any, standin: StandInProcess) -> None:
    page = await launch(wajs=False)
    await page.until(socket="UNPAIRED")
    standin.phone.scan()
    state = await page.until(socket="CONNECTED")
    assert state == {"socket": "CONNECTED", "mode": "MAIN", "info": "NORMAL", "me": "201000000001@c.us"}


async def test_the_phone_scans_the_very_text_that_someone_else_shows(launch: Any, standin: StandInProcess) -> None:
    page = await launch(wajs=False)
    await page.until(socket="UNPAIRED")
    shown = await page.page.get_attribute("[data-ref]", "data-ref")
    with pytest.raises(RefusedError) as refused:
        standin.phone.scan(text=shown.replace("2@", "2@x"))
    assert refused.value.status == 409
    standin.phone.scan(text=shown)
    await page.until(socket="CONNECTED")


async def test_the_button_on_the_page_links_it(launch: Any) -> None:
    page = await launch(wajs=False)
    await page.until(socket="UNPAIRED")
    await page.page.click("#virtual-scan")
    await page.until(socket="CONNECTED", mode="MAIN")


async def test_nothing_can_be_scanned_before_a_code_is_displayed(standin: StandInProcess) -> None:
    with pytest.raises(RefusedError, match="no QR code is displayed") as refused:
        standin.phone.scan()
    assert refused.value.status == 409


async def test_refs_change_and_run_out_and_the_page_can_be_woken(
    launch: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    standin.phone.set_settings(ref_seconds=0.3, refs=3)
    page = await launch()
    refs: set[str] = set()

    async def seen() -> bool:
        if ref := await page.page.evaluate("document.querySelector('[data-ref]')?.getAttribute('data-ref') ?? null"):
            refs.add(ref)
        return bool((await page.state())["socket"] == "UNPAIRED_IDLE")

    await eventually(seen)
    assert len(refs) == 3
    assert await page.page.locator("[data-ref]").count() == 0
    with pytest.raises(RefusedError):
        standin.phone.scan(text=refs.pop())
    await page.wajs()
    standin.phone.set_settings(ref_seconds=20)
    fresh = await page.page.evaluate("WPP.conn.refreshQR()")
    assert fresh["ref"]
    await page.until(socket="UNPAIRED")
    standin.phone.scan()
    await page.until(socket="CONNECTED")


@pytest.mark.parametrize("call", ["genLinkDeviceCodeForPhoneNumber", "startLinkDeviceCodeForPhoneNumber"])
async def test_a_pairing_code_typed_on_the_phone_links_the_page(
    launch: Any, standin: StandInProcess, call: str
) -> None:
    page = await launch()
    await page.wajs()
    await page.until(socket="UNPAIRED")
    code = await page.page.evaluate(f"WPP.conn.{call}('201000000001')")
    assert len(code) == 8
    with pytest.raises(RefusedError) as refused:
        standin.phone.enter_code("AAAAAAAA")
    assert refused.value.status == 409
    standin.phone.enter_code(f"{code[:4]}-{code[4:]}")
    await page.until(socket="CONNECTED", mode="MAIN")


async def test_an_old_pairing_code_is_refused(launch: Any, standin: StandInProcess) -> None:
    standin.phone.set_settings(code_seconds=0.001)
    page = await launch()
    await page.wajs()
    await page.until(socket="UNPAIRED")
    code = await page.page.evaluate("WPP.conn.genLinkDeviceCodeForPhoneNumber('201000000001')")
    with pytest.raises(RefusedError, match="expired"):
        standin.phone.enter_code(code)


async def test_the_page_lets_no_foreign_script_in(launch: Any, standin: StandInProcess) -> None:
    page = await launch(wajs=False)
    with pytest.raises(Exception, match="Content Security Policy"):
        await page.page.add_script_tag(content="window.stranger = 1")
    assert await page.page.evaluate("1 + 1") == 2
    policy = httpx.get(standin.web_url, trust_env=False).headers["Content-Security-Policy"]
    assert "'nonce-" in policy
    assert "unsafe" not in policy


async def test_the_version_of_the_page_can_be_chosen(launch: Any, standin: StandInProcess) -> None:
    standin.phone.set_settings(version="2.3000.1099999999")
    page = await launch()
    assert await page.page.evaluate("Debug.VERSION") == "2.3000.1099999999"
    await page.wajs()
    assert await page.page.evaluate("WPP.conn.getBuildConstants().PARSED.TERTIARY") == 1099999999
