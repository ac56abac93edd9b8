"""The virtual phone in a browser's window: it acts on exactly what was pressed, and for nobody but its own page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from standin.process import StandInProcess

JSON = "application/json"
ACTS = ("scan", "code", "unlink", "write")
POST = """([url, type, key]) => fetch(url, {
    method: 'POST', body: '{"device": 1}', headers: {'Content-Type': type, Authorization: `Bearer ${key}`},
    ...(type === 'text/plain' && {mode: 'no-cors'})
}).then((answer) => answer.type)"""


@pytest.fixture
async def phone_page(launch: Any, standin: StandInProcess) -> Page:
    """The phone's page in a browser of its own; a script error or a breach of its policy fails the test."""
    driven = await launch("visitor", wajs=False, go=False)
    page: Page = driven.page
    await page.goto(f"{standin.web_url}/phone?lang=en#key={standin.key}")
    await expect(page.locator("#number")).to_contain_text("+201000000001")
    return page


def _post(standin: StandInProcess, path: str, body: dict[str, Any], **headers: str | None) -> httpx.Response:
    return _ask("POST", standin, path, body, **headers)


def _ask(
    method: str, standin: StandInProcess, path: str, body: dict[str, Any], **headers: str | None
) -> httpx.Response:
    """As the phone's own page asks, with other headers where named; None leaves one out."""
    own: dict[str, str | None] = {"Origin": standin.web_url, "Sec-Fetch-Site": "same-origin", "Content-Type": JSON}
    own["Authorization"] = f"Bearer {standin.key}"
    sent = own | {name.replace("_", "-"): value for name, value in headers.items()}
    given = {name: value for name, value in sent.items() if value is not None}
    with httpx.Client(base_url=standin.web_url, trust_env=False) as client:
        return client.request(
            method, f"/phone/{path}", content=httpx.Request("POST", "http://x", json=body).content, headers=given
        )


@pytest.mark.browser
async def test_scan_links_exactly_the_page_that_was_pressed(
    launch: Any, standin: StandInProcess, phone_page: Page
) -> None:
    await expect(phone_page.locator("#nothing-waits")).to_be_visible()
    first, second = await launch("first", wajs=False), await launch("second", wajs=False)
    await first.until(socket="UNPAIRED")
    await second.until(socket="UNPAIRED")
    await expect(phone_page.locator("#waiting > li")).to_have_count(2)
    shown = await first.page.get_attribute("[data-ref]", "data-ref")
    await phone_page.locator("#waiting > li", has_text=shown[:8]).get_by_role("button").click()
    await first.until(socket="CONNECTED", mode="MAIN")
    await expect(phone_page.locator("#said")).to_have_text("Linked: device 1.")
    await expect(phone_page.locator("#devices > li")).to_contain_text(["Device 1"])
    await expect(phone_page.locator("#devices .badge")).to_have_text("Connected")
    await expect(phone_page.locator("#devices .logins")).to_have_text("Logins: 1")
    await expect(phone_page.locator("#waiting > li")).to_have_count(1)
    await second.until(socket="UNPAIRED", mode="QR")
    assert await phone_page.evaluate("document.activeElement.id") == "devices-title"


@pytest.mark.browser
async def test_unlink_asks_first_and_then_logs_the_session_out(linked: Any, phone_page: Page) -> None:
    unlink = phone_page.get_by_role("button", name="Unlink device 1")
    await unlink.click()
    await phone_page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await linked.until(socket="CONNECTED", mode="MAIN")
    await unlink.click()
    await phone_page.keyboard.press("Escape")
    await expect(phone_page.get_by_role("dialog")).to_be_hidden()
    await linked.until(socket="CONNECTED", mode="MAIN")
    await unlink.click()
    await phone_page.get_by_role("dialog").get_by_role("button", name="Unlink").click()
    await linked.page.wait_for_url("**/?post_logout=1*")
    await expect(phone_page.locator("#no-devices")).to_be_visible()


@pytest.mark.browser
async def test_a_device_whose_browser_is_gone_is_shown_as_not_connected(linked: Any, phone_page: Page) -> None:
    await expect(phone_page.locator("#devices .badge")).to_have_text("Connected")
    await linked.page.goto("about:blank")
    await expect(phone_page.locator("#devices .badge")).to_have_text("Not connected")


@pytest.mark.browser
async def test_messages_go_both_ways_and_their_markup_stays_text(
    linked: Any, standin: StandInProcess, phone_page: Page, eventually: Callable[..., Any]
) -> None:
    await linked.send("hello <b>phone</b>")
    shown = phone_page.locator("#messages > li")
    await expect(shown).to_have_count(1)
    await expect(shown.locator(".body")).to_have_text("hello <b>phone</b>")
    await expect(shown.locator(".who")).to_contain_text("+201234567890")
    await phone_page.fill("#text", "hello session")
    await phone_page.click("#write-form button")
    await expect(shown.first.locator(".body")).to_have_text("hello session")
    await expect(shown.first.locator(".when")).to_contain_text("delivered")
    await expect(phone_page.locator("#text")).to_have_value("")
    assert [message.text for message in standin.phone.incoming_messages()] == ["hello session"]


@pytest.mark.browser
async def test_only_the_last_twenty_messages_are_shown_newest_first(
    linked: Any, standin: StandInProcess, phone_page: Page
) -> None:
    standin.phone.write("old", count=30)
    await expect(phone_page.locator("#messages > li")).to_have_count(20)
    assert len(standin.phone.incoming_messages()) == 30
    assert await phone_page.locator("#messages .body").first.text_content() == "old 30"


@pytest.mark.browser
async def test_a_pairing_code_typed_on_the_page_links_the_browser_that_shows_it(launch: Any, phone_page: Page) -> None:
    waiting = await launch("waiting")
    await waiting.wajs()
    await waiting.until(socket="UNPAIRED")
    await phone_page.fill("#code", "AAAA-AAAA")
    await phone_page.click("#code-form button")
    await expect(phone_page.locator("#said")).to_contain_text("No page waits for this code")
    code = await waiting.page.evaluate("WPP.conn.genLinkDeviceCodeForPhoneNumber('201000000001')")
    await phone_page.fill("#code", f"{code[:4]}-{code[4:]}".lower())
    await phone_page.press("#code", "Enter")
    await waiting.until(socket="CONNECTED", mode="MAIN")


@pytest.mark.browser
async def test_the_page_speaks_arabic_from_right_to_left_and_breaks_no_policy(
    launch: Any, standin: StandInProcess
) -> None:
    driven = await launch("visitor", wajs=False, go=False)
    page, said, asked = driven.page, [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{standin.web_url}/phone?lang=ar#key={standin.key}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("الهاتف الافتراضي")
    assert await page.evaluate("getComputedStyle(document.body).direction") == "rtl"
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Virtual phone")
    assert await page.evaluate("document.documentElement.dir") == "ltr"
    assert await page.evaluate("document.querySelectorAll('[data-text]:empty').length") == 0
    assert (said, driven.errors) == ([], [])
    assert all(url.startswith((standin.web_url, "data:")) for url in asked)


@pytest.mark.browser
async def test_both_languages_have_the_same_texts(phone_page: Page) -> None:
    source = await phone_page.evaluate("fetch('/phone/files/words.js').then((answer) => answer.text())")
    english, arabic = (part.split("};")[0] for part in source.split("const ENGLISH = {")[1].split("const ARABIC = {"))
    names = [[line.split(":")[0].strip() for line in part.splitlines() if ": '" in line] for part in (english, arabic)]
    assert names[0] == names[1]
    assert len(names[0]) > 30


@pytest.mark.browser
async def test_a_stand_in_that_is_gone_is_told_and_found_again(standin: StandInProcess, phone_page: Page) -> None:
    standin.kill()
    await expect(phone_page.locator("#offline")).to_be_visible()
    standin.start()
    await expect(phone_page.locator("#offline")).to_be_hidden()


@pytest.mark.browser
async def test_the_sites_own_page_leads_to_the_phone(launch: Any, standin: StandInProcess) -> None:
    page = await launch(wajs=False)
    await page.until(socket="UNPAIRED")
    opened = await page.context.new_page()
    await opened.goto(standin.phone_url)  # as the demo prints it, once
    await expect(opened.locator("#number")).to_contain_text("+201000000001")
    async with page.context.expect_page() as opened:
        await page.page.get_by_role("link", name="Open the virtual phone").click()
    phone = await opened.value
    await phone.wait_for_url(f"{standin.web_url}/phone")
    await phone.get_by_role("button", name="Scan QR code").click()
    await page.until(socket="CONNECTED", mode="MAIN")


@pytest.mark.browser
async def test_another_site_open_in_the_same_browser_cannot_press_a_button(
    linked: Any, launch: Any, standin: StandInProcess
) -> None:
    stranger = await launch("stranger", wajs=False, go=False)
    await stranger.page.goto(standin.ready.control_url + "/health")
    for type_ in ("text/plain", "application/json"):
        with pytest.raises(Exception, match="Failed to fetch"):
            await stranger.page.evaluate(POST, [f"{standin.web_url}/phone/unlink", type_, standin.key])
        assert standin.phone.device().state == "linked"
    await stranger.page.goto(standin.phone_url)
    asked = [f"{standin.web_url}/phone/unlink", "application/json", standin.key]
    assert await stranger.page.evaluate(POST, asked) == "basic"
    await linked.page.wait_for_url("**/?post_logout=1*")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://example.org", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": None},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Content_Type": "text/plain"},
        {"Content_Type": None},
        {"Host": "example.org", "Origin": "http://example.org"},
        {"Host": "127.0.0.1.example.org", "Origin": "http://127.0.0.1.example.org"},
    ],
)
@pytest.mark.parametrize(
    ("path", "body"),
    [("scan", {"page": "x"}), ("code", {"code": "x"}), ("unlink", {"device": 1}), ("write", {"from": "1", "text": ""})],
)
def test_what_does_not_come_from_the_phones_own_page_is_refused(
    standin: StandInProcess, path: str, body: dict[str, Any], headers: dict[str, str | None]
) -> None:
    assert _post(standin, path, body, **headers).status_code == 403
    assert _post(standin, path, body).status_code in (400, 404, 409), "the same from its own page is heard"


@pytest.mark.browser
async def test_without_its_key_the_page_is_locked_and_a_key_opens_it_and_leaves_the_address(
    launch: Any, standin: StandInProcess
) -> None:
    page = (await launch("visitor", wajs=False, go=False)).page
    await page.goto(f"{standin.web_url}/phone?lang=en#key=wrong")
    await expect(page.locator("#locked")).to_contain_text("persistent-session demo phone")
    await expect(page.locator("#number")).to_have_text("")
    await page.goto(f"{standin.web_url}/phone?lang=en#key={standin.key}")
    await expect(page.locator("#number")).to_contain_text("+201000000001")
    await expect(page.locator("#locked")).to_be_hidden()
    assert page.url == f"{standin.web_url}/phone?lang=en"


def test_who_does_not_show_the_key_reads_nothing_and_does_nothing(standin: StandInProcess) -> None:
    for method, path in (("GET", "state"), *(("POST", path) for path in ACTS)):
        for key in (None, "", "Bearer", "Bearer wrong", f"Basic {standin.key}"):
            answer = _ask(method, standin, path, {"device": 1}, Authorization=key)
            assert (answer.status_code, answer.json()) == (401, {"error": "the phone's key is required"}), (path, key)


@pytest.mark.parametrize("path", ["", "/state", "/files/phone.js"])
def test_a_foreign_name_bound_to_this_address_reads_nothing(standin: StandInProcess, path: str) -> None:
    url, key = f"{standin.web_url}/phone{path}", {"Authorization": f"Bearer {standin.key}"}
    assert httpx.get(url, headers=key, trust_env=False).status_code == 200
    for host in ("example.org", "web.whatsapp.com", "localhost.example.org", "127.0.0.1:1:2"):
        answer = httpx.get(url, headers={"Host": host, **key}, trust_env=False)
        assert (answer.status_code, "201000000001" in answer.text) == (403, False)


def test_the_page_lets_no_foreign_script_style_or_frame_in(standin: StandInProcess) -> None:
    policy = httpx.get(f"{standin.web_url}/phone", trust_env=False).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("write", {"from": "not a number", "text": "x"}),
        ("write", {"from": "201234567890", "text": "  "}),
        ("write", {"from": "201234567890", "text": "x" * 4001}),
        ("unlink", {}),
        ("scan", {"text": "x"}),
    ],
)
def test_garbage_is_refused_in_words(standin: StandInProcess, path: str, body: dict[str, Any]) -> None:
    answer = _post(standin, path, body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_nobody_can_be_written_to_before_a_device_is_linked(standin: StandInProcess) -> None:
    answer = _post(standin, "write", {"from": "201234567890", "text": "hello"})
    assert (answer.status_code, answer.json()["error"]) == (409, "no device is linked")


def test_the_phone_answers_while_the_site_is_told_to_fail(standin: StandInProcess) -> None:
    standin.phone.set_faults(http="error")
    assert httpx.get(standin.web_url, trust_env=False).status_code == 503
    key = {"Authorization": f"Bearer {standin.key}"}
    assert httpx.get(f"{standin.web_url}/phone/state", headers=key, trust_env=False).status_code == 200
