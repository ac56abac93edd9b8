"""What the site can do to a session: refuse, block, change its modules, hang."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from browser_stage import BrowserStage, link, send_ready, shows

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.domain.reading import PageState
from browser_worker.ports import BrowserGone, BrowserHangs
from shared.testing import eventually

pytestmark = pytest.mark.browser
NUMBER = "201234567890"


@pytest.mark.parametrize(
    ("mode", "state"),
    [
        ("ban", PageState.BANNED),
        ("tos_block", PageState.TERMS_NOT_ACCEPTED),
        ("smb_tos_block", PageState.TERMS_NOT_ACCEPTED),
        ("proxyblock", PageState.NETWORK_REFUSED),
        ("deprecated", PageState.DEPRECATED),
        ("unlaunched", PageState.OFFLINE),
    ],
)
async def test_a_refusal_of_the_server_is_named_and_ends_with_it(
    stage: BrowserStage, mode: str, state: PageState
) -> None:
    async with stage.linked() as browser:
        stage.phone.set_faults(mode=mode)
        await browser.reload()
        await shows(browser, state)
        stage.phone.set_faults(mode="normal")
        await browser.reload()
        await shows(browser, PageState.CONNECTED)


async def test_a_lost_connection_is_offline_and_not_logged_out(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        stage.phone.set_faults(accept_sockets=False)
        await browser.reload()
        await shows(browser, PageState.OFFLINE)
        stage.phone.set_faults(accept_sockets=True)
        await shows(browser, PageState.CONNECTED)


async def test_a_refused_message_has_failed(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        stage.phone.set_faults(ack="nack")
        message_id = await browser.new_message_id(NUMBER)
        outcome = await browser.send_text(NUMBER, "hello", message_id, timeout=10)
        assert (outcome.outcome, outcome.ack) == ("failed", -1)
        found = await browser.find_message(message_id)
        assert found is not None
        assert found.outcome == "failed"


@pytest.mark.parametrize("fault", ["blackhole", "lost"])
async def test_a_message_without_an_answer_is_unknown_in_time(stage: BrowserStage, fault: str) -> None:
    async with stage.linked() as browser:
        await send_ready(browser)
        stage.phone.set_faults(ack=fault)
        message_id = await browser.new_message_id(NUMBER)
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome = await browser.send_text(NUMBER, "hello", message_id, timeout=1.5)
        assert outcome.outcome == "unknown"
        assert loop.time() - began < 3.5
        found = await browser.find_message(message_id)
        assert found is not None
        assert found.outcome == "unknown"


async def test_a_late_acknowledgement_is_found_afterwards(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        await send_ready(browser)
        stage.phone.set_faults(ack="late", ack_delay_ms=2500)
        message_id = await browser.new_message_id(NUMBER)
        assert (await browser.send_text(NUMBER, "hello", message_id, timeout=1)).outcome == "unknown"

        async def acknowledged() -> bool:
            found = await browser.find_message(message_id)
            return found is not None and found.outcome == "sent"

        await eventually(acknowledged, timeout=10)
        assert [message.copies for message in stage.phone.messages()] == [1]


async def test_without_the_functions_nothing_is_sent_and_it_says_so(stage: BrowserStage) -> None:
    stage.phone.set_faults(modules={"drop": ["WAWebSendMsgChatAction"]})
    async with stage.linked() as browser:
        message_id = await browser.new_message_id(NUMBER)
        outcome = await browser.send_text(NUMBER, "hello", message_id, timeout=3)
        assert (outcome.outcome, outcome.error) == ("failed", "the page's send functions are not ready")
        assert stage.phone.messages() == []


async def test_a_number_that_is_not_on_whatsapp_fails_without_a_send(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        await send_ready(browser)
        await _in_page(browser, "window.require('WAWebQueryExistsJob').queryWidExists = async () => null")
        message_id = await browser.new_message_id(NUMBER)
        outcome = await browser.send_text(NUMBER, "hello", message_id, timeout=5)
        assert (outcome.outcome, outcome.error) == ("failed", "this number is not on WhatsApp")
        assert stage.phone.messages() == []


async def test_a_site_that_cannot_be_asked_for_numbers_can_still_send(stage: BrowserStage) -> None:
    stage.phone.set_faults(modules={"drop": ["WAWebQueryExistsJob"]})
    async with stage.linked() as browser:
        message_id = await browser.new_message_id(NUMBER)
        assert (await browser.send_text(NUMBER, "hello", message_id, timeout=10)).outcome == "sent"


async def test_a_chat_that_whatsapp_keeps_under_another_id_gets_the_message(stage: BrowserStage) -> None:
    """WhatsApp moves chats from numbers to ids of its own; the message key must name the chat that exists."""
    async with stage.linked() as browser:
        await send_ready(browser)
        await _in_page(
            browser,
            """([number, other]) => {
                const actions = window.require('WAWebFindChatAction');
                const find = actions.findOrCreateLatestChat;
                const { createWid } = window.require('WAWebWidFactory');
                actions.findOrCreateLatestChat = (wid, ...rest) =>
                  find(String(wid) === number ? createWid(other) : wid, ...rest);
            }""",
            [f"{NUMBER}@c.us", "209999999999@c.us"],
        )
        message_id = await browser.new_message_id(NUMBER)
        assert message_id.startswith("true_209999999999@c.us_")
        assert (await browser.send_text(NUMBER, "hello", message_id, timeout=10)).outcome == "sent"
        assert [message.id for message in stage.phone.messages()] == [message_id]


async def test_without_a_connection_nothing_is_queued(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        await send_ready(browser)
        message_id = await browser.new_message_id(NUMBER)
        stage.phone.set_faults(accept_sockets=False)
        stage.phone.drop_sockets()
        await shows(browser, PageState.OFFLINE)
        outcome = await browser.send_text(NUMBER, "hello", message_id, timeout=3)
        assert (outcome.outcome, outcome.error) == ("failed", "the page is not connected")
        stage.phone.set_faults(accept_sockets=True)
        await shows(browser, PageState.CONNECTED)
        assert stage.phone.messages() == []


@pytest.mark.parametrize(
    ("faults", "tier"),
    [
        ({"rename": {"WAWebSocketModel": "WAWebSocketModelNew", "WAWebStreamModel": "WAWebStreamModelNew"}}, "wa-js"),
        ({"rename": {"WAWebSocketModel.Socket": "Sock", "WAWebStreamModel.Stream": "Strm"}}, "modules"),
        ({"hide": ["WAWebSocketModel", "WAWebStreamModel", "WAWebConnModel"]}, "modules"),
        ({"drop": ["WAWebSocketModel", "WAWebStreamModel", "WAWebConnModel"]}, "dom"),
    ],
    ids=["modules renamed", "exports renamed", "modules hidden", "models gone"],
)
async def test_a_changed_site_is_still_read_by_another_tier(
    stage: BrowserStage, faults: dict[str, object], tier: str
) -> None:
    async with stage.linked() as browser:
        stage.phone.set_faults(modules=faults)
        await browser.reload()

        async def told_by() -> bool:
            reading = await browser.read()
            return reading.state is PageState.CONNECTED and reading.raw.tier == tier

        await eventually(told_by, timeout=15, message=f"connected, told by {tier}")


async def test_a_changed_site_still_shows_its_qr(stage: BrowserStage) -> None:
    stage.phone.set_faults(modules={"drop": ["WAWebSocketModel", "WAWebStreamModel"]})
    async with stage.launched() as browser:
        reading = await shows(browser, PageState.QR)
        assert (reading.raw.tier, len(reading.qr.split(","))) == ("dom", 5)


async def test_an_unknown_dialog_is_noted_by_its_class_alone(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        stage.phone.set_faults(dialog="Something private happened")
        await eventually(lambda: _dialog(browser, "dialog"))
        assert "private" not in repr(await browser.read())
        assert (await browser.read()).state is PageState.CONNECTED


async def test_the_dialog_after_a_link_is_dismissed_and_an_unknown_one_left(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        for words in ("What’s new on WhatsApp Web", "Something else"):
            await _in_page(
                browser,
                """(words) => {
                    document.body.insertAdjacentHTML('beforeend', '<div role=dialog class=modal><h1></h1></div>');
                    const made = document.body.lastElementChild;
                    made.firstElementChild.textContent = words;
                    const ok = made.appendChild(document.createElement('button'));
                    ok.textContent = 'Continue';
                    ok.onclick = () => made.remove();
                }""",
                words,
            )
        await browser.dismiss_known_dialogs()
        left = await _in_page(browser, "[...document.querySelectorAll('[role=dialog]')].map((one) => one.innerText)")
        assert len(left) == 1
        assert "Something else" in left[0]
        assert (await browser.read()).raw.dialog == "modal"


async def test_an_unreachable_site_reads_as_unknown_and_comes_back(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        await browser.close(timeout=5)
        stage.standin.stop()
        await browser.launch(stage.profile, None)
        assert (await browser.read()).state is PageState.UNKNOWN
        stage.standin.start()
        await browser.reload()
        await shows(browser, PageState.CONNECTED)


async def test_exported_storage_waits_for_a_site_that_comes_later(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        export = await browser.export_local_storage()
        await browser.close(timeout=5)
        stage.standin.stop()
        (stage.profile / "Default" / "Local Storage").rename(stage.folder / "lost")
        await browser.launch(stage.profile, export)
        assert (await browser.read()).state is PageState.UNKNOWN
        stage.standin.start()
        await browser.reload()
        assert (await shows(browser, PageState.CONNECTED, PageState.QR)).state is PageState.CONNECTED


async def test_a_hung_page_is_told_within_the_timeout_and_ended_by_a_new_one(stage: BrowserStage) -> None:
    async with stage.linked(timeout=3.0) as browser:
        stage.phone.hang_pages(60_000)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(0.3)
        with pytest.raises(BrowserHangs):
            await browser.read()
        assert loop.time() - began < 6
        assert browser.alive
        await browser.reopen_page()
        await shows(browser, PageState.CONNECTED)


async def test_a_page_that_hangs_during_a_send_leaves_it_unknown(stage: BrowserStage) -> None:
    async with stage.linked(timeout=3.0) as browser:
        await send_ready(browser)
        message_id = await browser.new_message_id(NUMBER)
        stage.phone.hang_pages(60_000)
        await asyncio.sleep(0.3)
        assert (await browser.send_text(NUMBER, "hello", message_id, timeout=1)).outcome == "unknown"


async def test_a_crashed_page_is_gone_and_wakes_the_reader(stage: BrowserStage) -> None:
    async with stage.linked() as browser:
        woken = asyncio.Event()
        browser.on_wake(woken.set)
        assert browser._page is not None
        crashing = asyncio.ensure_future(browser._page.page.goto("chrome://crash"))
        await asyncio.wait_for(woken.wait(), 5)
        await asyncio.gather(crashing, return_exceptions=True)

        async def gone() -> bool:
            try:
                await browser.read()
            except BrowserGone:
                return True
            return False

        await eventually(gone)
        await browser.reload()
        await shows(browser, PageState.CONNECTED)


async def test_a_link_after_a_crash_is_possible(stage: BrowserStage) -> None:
    async with stage.launched() as browser:
        browser.kill()
        await browser.launch(stage.profile, None)
        await link(browser, stage.phone)


async def _dialog(browser: ChromiumBrowser, name: str) -> bool:
    return (await browser.read()).raw.dialog == name


async def _in_page(browser: ChromiumBrowser, script: str, given: Any = None) -> Any:
    """Do it as the code of the site would."""
    assert browser._page is not None
    return await browser._page.page.evaluate(script, given)
