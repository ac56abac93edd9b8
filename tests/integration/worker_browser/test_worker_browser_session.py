"""The life of a session in a real Chromium, on the stand-in, through the unmodified wa-js."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from browser_stage import BrowserStage, link, send_ready, shows

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.domain.reading import LocalStorageExport, PageState
from browser_worker.ports import BrowserGone
from shared.contracts.errors import Refused
from shared.testing import eventually
from standin.client import RefusedError

pytestmark = pytest.mark.browser
NUMBER = "201234567890"


async def test_a_fresh_profile_shows_the_qr_that_the_page_draws(stage: BrowserStage) -> None:
    async with stage.launched() as browser:
        reading = await shows(browser, PageState.QR)
        assert len(reading.qr.split(",")) == 5
        assert (await browser.version()).count(".") == 3
        assert browser.alive


async def test_a_scan_connects_and_the_reading_names_tier_and_number(stage: BrowserStage) -> None:
    async with stage.launched() as browser:
        reading = await link(browser, stage.phone)
        assert reading.raw.number == "201000000001"
        assert reading.raw.tier in ("wa-js", "modules")
        assert reading.raw.page_version
        await send_ready(browser)
        reading = await browser.read()
        assert (reading.raw.tier, reading.raw.registered) == ("wa-js", True)


async def test_a_change_of_the_page_wakes_the_reader(stage: BrowserStage) -> None:
    woken = asyncio.Event()
    async with stage.linked() as browser:
        browser.on_wake(woken.set)
        woken.clear()
        stage.phone.set_faults(accept_sockets=False)
        stage.phone.drop_sockets()
        await asyncio.wait_for(woken.wait(), 5)
        await shows(browser, PageState.OFFLINE)
        stage.phone.set_faults(accept_sockets=True)
        await shows(browser, PageState.CONNECTED)


async def test_a_pairing_code_links_without_a_camera(stage: BrowserStage) -> None:
    async with stage.launched() as browser:
        await shows(browser, PageState.QR)
        code = await browser.pairing_code("201000000001")
        stage.phone.enter_code(code)
        assert (await shows(browser, PageState.CONNECTED)).raw.number == "201000000001"
        with pytest.raises(Refused):
            await browser.pairing_code("201000000002")


async def test_a_qr_that_went_idle_is_refreshed(stage: BrowserStage) -> None:
    stage.phone.set_settings(ref_seconds=0.4, refs=2)
    async with stage.launched() as browser:
        await shows(browser, PageState.IDLE)
        stage.phone.set_settings(ref_seconds=20, refs=6)
        await browser.refresh_qr()
        stage.phone.scan(text=(await shows(browser, PageState.QR)).qr)
        await shows(browser, PageState.CONNECTED)


async def test_killed_with_its_storage_on_disk_it_is_connected_again_without_a_qr(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        await browser.reopen_page()
        await shows(browser, PageState.CONNECTED)
        await _on_disk()
        browser.kill()
        assert not browser.alive
        with pytest.raises(BrowserGone):
            await browser.read()
        await browser.launch(stage.profile, None)
        await _never_a_qr_until_connected(browser)
    assert stage.phone.device().max_simultaneous == 1


async def test_exported_storage_brings_back_a_login_whose_file_was_lost(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        export = await browser.export_local_storage()
        assert export.entries["ps:sequence"] == str(export.sequence)
        await browser.close(timeout=5)
        shutil.rmtree(stage.profile / "Default" / "Local Storage")
        await browser.launch(stage.profile, export)
        await _never_a_qr_until_connected(browser)
        assert (await browser.export_local_storage()).sequence == export.sequence + 1


async def test_without_exported_storage_the_lost_file_would_have_lost_the_login(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        await browser.close(timeout=5)
        shutil.rmtree(stage.profile / "Default" / "Local Storage")
        await browser.launch(stage.profile, None)
        await shows(browser, PageState.QR)


async def test_exported_storage_that_is_not_newer_changes_nothing(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        export = await browser.export_local_storage()
        await browser.export_local_storage()
        await browser.close(timeout=5)
        stale = LocalStorageExport(export.origin, export.sequence, export.entries | {"stale": "yes"})
        await browser.launch(stage.profile, stale)
        await shows(browser, PageState.CONNECTED)
        assert "stale" not in (await browser.export_local_storage()).entries


async def test_exported_storage_is_not_put_back_after_a_logout(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        export = await browser.export_local_storage()
        await browser.close(timeout=5)
        await browser.launch(stage.profile, export)
        await shows(browser, PageState.CONNECTED)
        stage.phone.unlink()
        await shows(browser, PageState.LOGGED_OUT)
        for again in (browser.reload, browser.reopen_page):
            await again()
            await shows(browser, PageState.QR)
            assert "last-wid-md" not in (await browser.export_local_storage()).entries
        await browser.close(timeout=5)
        await browser.launch(stage.profile, export)
        await shows(browser, PageState.QR)
        assert "last-wid-md" not in (await browser.export_local_storage()).entries


async def test_a_text_is_sent_acknowledged_and_found_again(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        message_id = await browser.new_message_id(NUMBER)
        outcome = await browser.send_text(NUMBER, "مرحبا & <b>hello</b>", message_id, timeout=10)
        assert (outcome.outcome, outcome.ack) == ("sent", 1)
        found = await browser.find_message(message_id)
        assert found is not None
        assert (found.outcome, found.error) == ("sent", "")
        assert found.ack in (1, 2)  # the phone's receipt may have come by now
        assert [(sent.id, sent.text, sent.copies) for sent in stage.phone.messages()] == [
            (message_id, "مرحبا & <b>hello</b>", 1)
        ]


async def test_a_send_waits_for_functions_that_come_late(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        await browser.close(timeout=5)
        await browser.launch(stage.profile, None)
        await shows(browser, PageState.CONNECTED)
        message_id = await browser.new_message_id(NUMBER)
        assert (await browser.send_text(NUMBER, "early", message_id, timeout=10)).outcome == "sent"


async def test_a_message_the_page_never_saw_is_not_known(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        await send_ready(browser)
        assert await browser.find_message(f"true_{NUMBER}@c.us_3EB0FFFFFFFFFFFFFFFFFF") is None


async def test_unlinking_is_confirmed_and_seen_by_the_phone(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        await send_ready(browser)
        assert await browser.unlink()
        assert [device.state for device in stage.phone.devices()] == ["unlinked"]
        await shows(browser, PageState.LOGGED_OUT)
        await browser.reload()
        await shows(browser, PageState.QR)


async def test_a_device_unlinked_at_the_phone_is_read_as_logged_out(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        stage.phone.unlink()
        reading = await shows(browser, PageState.LOGGED_OUT)
        assert reading.raw.post_logout


async def test_a_conflict_is_answered_with_use_here(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        stage.phone.conflict()
        await shows(browser, PageState.CONFLICT)
        await browser.take_over()
        await shows(browser, PageState.CONNECTED)


async def test_the_self_check_names_what_a_new_build_of_the_site_lost(stage: BrowserStage) -> None:
    stage.phone.set_faults(modules={"drop": ["WAWebSendMsgChatAction"]})
    async with stage.linked() as browser:
        await eventually(lambda: _wa_js_ready(browser), timeout=10)
        check = await browser.self_check()
        assert (check.read_ok, check.send_ok) == (True, False)
        assert "wa-js:functions.addAndSendMsgToChat" in check.missing
        assert (check.wa_js_version, check.page_version) == ("4.6.0", (await browser.read()).raw.page_version)


async def test_a_measure_counts_every_process_and_its_memory(stage: BrowserStage) -> None:
    async with stage.launched() as browser:
        measure = await browser.measure()
        assert measure.processes >= 4
        assert measure.memory_bytes > 30_000_000
        assert measure.version == await browser.version()


async def test_a_screenshot_is_a_picture(stage: BrowserStage) -> None:
    async with stage.launched() as browser:
        assert (await browser.screenshot()).startswith(b"\x89PNG")


async def test_the_full_chromium_opens_the_same_profile(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        await browser.close(timeout=5)
    async with stage.launched(engine="chromium") as browser:
        await shows(browser, PageState.CONNECTED)


async def test_one_driver_serves_browsers_of_several_sessions(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        other = stage.browser(driver=browser._driver, watchdog=browser._watchdog)
        try:
            await other.launch(stage.folder / "another profile", None)
            await shows(other, PageState.QR)
        finally:
            await stage.end(other)
        await shows(browser, PageState.CONNECTED)


async def test_a_page_of_another_origin_gets_no_script(stage: BrowserStage) -> None:
    async with stage.launched() as browser:
        assert browser._page is not None
        page = browser._page.page
        await page.goto("data:text/html,<p>elsewhere")
        assert await page.evaluate("typeof window.WPP + typeof window.__persistentSession") == "undefinedundefined"
        assert (await browser.read()).state is PageState.ELSEWHERE


async def _wa_js_ready(browser: ChromiumBrowser) -> bool:
    return (await browser.read()).raw.wa_js_ready


async def _never_a_qr_until_connected(browser: ChromiumBrowser) -> None:
    reading = await shows(browser, PageState.CONNECTED, PageState.QR)
    assert reading.state is PageState.CONNECTED


async def _on_disk() -> None:
    """Closing a page beside another writes localStorage to the disk, which no sign outside of the browser tells."""
    await asyncio.sleep(1.5)


def test_the_phone_refuses_a_code_that_is_not_shown(stage: BrowserStage) -> None:
    with pytest.raises(RefusedError):
        stage.phone.scan()
