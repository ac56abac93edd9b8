"""The page in a real browser: login, QR code, connected, a test message, in both languages. The pictures go into
$TEST_ARTEFACTS (default test-artefacts/)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gateway_stage import API_KEY, QR_TEXT, GatewayProcess, Owner, hang, pairing, report, status
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from gateway.domain import texts
from shared.browsers import find_browser
from shared.clock import SystemClock
from shared.contracts.commands import SendTest
from shared.contracts.foreign_text import name as shown_name
from shared.contracts.sessions import Account, Pairing, SessionRecord, SessionStatus
from shared.testing import NatsServer, eventually_sync

pytestmark = pytest.mark.browser
ARTEFACTS = Path(os.environ.get("TEST_ARTEFACTS", "test-artefacts"))
PAGE = "/persistent-session"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=find_browser("headless-shell"), args=sandbox)
        yield opened
        opened.close()


@pytest.fixture
def owner(nats: NatsServer) -> Iterator[Owner]:
    with Owner(nats.url) as scripted:
        yield scripted
        scripted.delete_records()


@pytest.fixture
def gateway(nats: NatsServer, owner: Owner, tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(nats.url, tmp_path / "gateway.log") as running:
        yield running


class Visit:
    """One visitor. `faults` collects what goes wrong in the page; a visit ends with its test."""

    def __init__(self, browser: Browser, url: str, language: str, *, width: int = 1280, scheme: str = "light") -> None:
        self.language = language
        self.texts = texts.of(language)
        self.faults: list[str] = []
        self.context: BrowserContext = browser.new_context(
            base_url=url,
            locale="ar-EG" if language == "ar" else "en-US",
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._own(url, request.url))
        self.page.on("console", lambda line: self.faults.append(line.text) if "Content Security" in line.text else None)

    def _own(self, url: str, asked: str) -> None:
        if not asked.startswith((url, "data:")):
            self.faults.append(f"asked another host: {asked}")

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
        assert self.faults == []

    def log_in(self) -> None:
        self.page.goto(PAGE)
        self.page.get_by_label(self.texts["login.key"], exact=True).fill(API_KEY)
        self.page.get_by_role("button", name=self.texts["login.submit"], exact=True).click()
        expect(self.page.locator("#mark")).to_be_visible()

    def button(self, key: str) -> Any:
        return self.page.locator("main").get_by_role("button", name=self.texts[key], exact=True).first

    def shows(self, state: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(self.texts[f"state.{state}"])

    def picture(self, name: str, *, full: bool = True) -> None:
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"gateway-{name}-{self.language}.png", full_page=full)


def lately(reported: SessionStatus) -> SessionStatus:
    """The same with instants of today, so that the pictures look real."""
    now = SystemClock().now().astimezone(UTC)
    pair = reported.pairing
    return msgspec.structs.replace(
        reported,
        since=now - timedelta(minutes=3),
        profile=msgspec.structs.replace(reported.profile, modified_at=now - timedelta(seconds=20)),
        saves=msgspec.structs.replace(
            reported.saves, newest_at=now - timedelta(minutes=1) if reported.saves.count else None
        ),
        backups=msgspec.structs.replace(
            reported.backups, newest_at=now - timedelta(minutes=4) if reported.backups.count else None
        ),
        pairing=Pairing(qr=pair.qr, qr_at=now) if pair.qr else pair,
        history=tuple(
            msgspec.structs.replace(each, at=now - timedelta(minutes=3, seconds=40 - 10 * index))
            for index, each in enumerate(reported.history)
        ),
    )


def shows_connected_with_a_warning(visit: Visit) -> None:
    page = visit.page
    visit.shows("connected")
    expect(page.locator("#mark")).to_have_attribute("data-tone", "good")
    expect(page.locator("#account-name")).to_have_text("Mona Store")
    expect(page.locator("#link")).to_be_hidden()
    expect(page.locator("#verdict")).to_have_text(visit.texts["health.warning"])
    arabic = visit.language == "ar"
    expect(page.locator("#issues")).to_contain_text("عمرها 12 دقيقة" if arabic else "12 minutes old")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_from_login_over_the_code_to_connected_and_a_test_message(
    browser: Browser, gateway: GatewayProcess, owner: Owner, language: str
) -> None:
    def carry_out(record: SessionRecord) -> list[SessionStatus]:
        return [lately(pairing(request=record.request))]

    owner.publish_status(lately(status(state="stopped", reason="stopped", account=None, request=0, history=())))
    owner.carry_out = carry_out
    with Visit(browser, gateway.url, language) as visit:
        page = visit.page
        page.goto("/")
        expect(page.locator("html")).to_have_attribute("dir", "rtl" if language == "ar" else "ltr")
        visit.picture("login")
        visit.log_in()
        visit.shows("stopped")
        expect(page.locator("#link")).to_be_hidden()
        expect(visit.button("test.send")).to_be_disabled()

        visit.button("action.initialize").click()
        visit.shows("pairing")
        code = page.get_by_role("img", name=visit.texts["link.qr"])
        expect(code).to_be_visible()
        eventually_sync(
            lambda: page.evaluate("document.getElementById('qr').naturalWidth > 0"), message="the QR is drawn"
        )
        first = code.get_attribute("src")
        visit.picture("qr")

        owner.publish_status(
            lately(pairing(request=1, pairing=Pairing(qr=QR_TEXT.replace("n0t", "new"), qr_at=SystemClock().now())))
        )
        expect(code).not_to_have_attribute("src", str(first))

        page.get_by_label(visit.texts["link.number"]).fill("201234567890")
        visit.button("link.get").click()
        expect(page.locator("#link-code")).to_have_text("ABCD-1234")

        owner.publish_status(lately(status(request=1)))
        owner.publish_report(report())
        shows_connected_with_a_warning(visit)

        page.locator("#test-number").fill("201234567890")
        visit.button("test.send").click()
        expect(page.locator("#test-result")).to_have_text(visit.texts["test.sent"])
        visit.picture("connected")
        assert [message for message, _ in owner.received if isinstance(message, SendTest)] == [
            SendTest(phone_number="201234567890", text=visit.texts["test.default"])
        ]


def test_clearing_asks_first(browser: Browser, gateway: GatewayProcess, owner: Owner) -> None:
    owner.publish_status(status())
    with Visit(browser, gateway.url, "en") as visit:
        visit.log_in()
        visit.shows("connected")
        visit.button("action.clear").click()
        dialog = visit.page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        visit.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        assert owner.desired() is None
        owner.carry_out = lambda record: [
            status(state="stopped", reason="cleared", account=None, request=record.request)
        ]
        visit.button("action.clear").click()
        dialog.get_by_role("button", name="Clear session").click()
        expect(visit.page.locator("#action-result")).to_have_text(visit.texts["done.cleared"])
        visit.shows("stopped")


def test_a_recommendation_is_one_click(browser: Browser, gateway: GatewayProcess, owner: Owner) -> None:
    owner.publish_status(status())
    owner.publish_report(report())
    with Visit(browser, gateway.url, "en") as visit:
        visit.log_in()
        visit.page.locator("#recommendations").get_by_role("button", name="Back up now").click()
        expect(visit.page.locator("#action-result")).to_have_text(visit.texts["done.stored"])


def test_backups_are_listed_and_one_is_restored(browser: Browser, gateway: GatewayProcess, owner: Owner) -> None:
    owner.publish_status(status())
    with Visit(browser, gateway.url, "en") as visit:
        visit.log_in()
        visit.page.get_by_text("Show backups").click()
        visit.page.get_by_role("row", name=re.compile("proven by a restore")).get_by_role("button").click()
        visit.page.get_by_role("dialog").get_by_role("button", name="Restore").click()
        expect(visit.page.locator("#action-result")).to_have_text(visit.texts["done.restoring"])
        assert any(getattr(message, "backup_id", "") == "7-41-20261122T115800Z" for message, _ in owner.received)


def test_a_message_without_acknowledgement_is_checked_and_not_sent_again(
    browser: Browser, gateway: GatewayProcess, owner: Owner
) -> None:
    owner.publish_status(status())
    owner.answers[SendTest] = hang
    with Visit(browser, gateway.url, "en") as visit:
        visit.log_in()
        visit.page.locator("#test-number").fill("201234567890")
        visit.button("test.send").click()
        result = visit.page.locator("#test-result")
        expect(result).to_have_text(visit.texts["error.unknown_outcome"], timeout=8000)
        visit.button("test.askAgain").click()
        expect(visit.button("test.sending")).to_be_visible()
    ids = [command for message, command in owner.received if isinstance(message, SendTest)]
    assert len(ids) == 2
    assert ids[0] == ids[1]


def test_a_wrong_key_is_refused_and_the_right_key_logs_in(browser: Browser, gateway: GatewayProcess) -> None:
    with Visit(browser, gateway.url, "en") as visit:
        visit.page.goto(PAGE)
        visit.page.locator("#key").fill("wrong")
        visit.page.keyboard.press("Enter")
        expect(visit.page.get_by_role("alert")).to_have_text(visit.texts["error.wrong_key"])
        visit.log_in()
        visit.button("action.initialize")
        visit.page.get_by_role("button", name="Log out").click()
        expect(visit.page.locator("#login-form")).to_be_visible()


def test_the_language_is_switched_in_the_header_and_remembered(
    browser: Browser, gateway: GatewayProcess, owner: Owner
) -> None:
    owner.publish_status(status())
    with Visit(browser, gateway.url, "en") as visit:
        visit.log_in()
        visit.page.locator("#language").click()
        expect(visit.page.locator("html")).to_have_attribute("lang", "ar")
        expect(visit.page.get_by_role("heading", level=1)).to_have_text(texts.of("ar")["state.connected"])
        visit.page.goto(PAGE)
        expect(visit.page.locator("html")).to_have_attribute("dir", "rtl")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_on_a_phone_nothing_is_wider_than_the_screen(
    browser: Browser, gateway: GatewayProcess, owner: Owner, language: str
) -> None:
    owner.publish_status(lately(pairing(detail="x")))
    with Visit(browser, gateway.url, language, width=360, scheme="dark") as visit:
        visit.log_in()
        visit.shows("pairing")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
        visit.picture("phone-qr", full=False)
        owner.publish_status(lately(status()))
        owner.publish_report(report())
        visit.shows("connected")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
        visit.picture("phone-dark")


def test_every_control_has_a_name_and_every_field_a_label(
    browser: Browser, gateway: GatewayProcess, owner: Owner
) -> None:
    owner.publish_status(pairing())
    with Visit(browser, gateway.url, "ar") as visit:
        visit.log_in()
        visit.shows("pairing")
        nameless = visit.page.evaluate(
            """() => [...document.querySelectorAll("button, a, input, textarea, summary")]
                .filter((e) => e.checkVisibility())
                .filter((e) => !(e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"""
        )
        assert nameless == []


def test_a_silent_worker_is_shown_as_gone(browser: Browser, gateway: GatewayProcess, owner: Owner) -> None:
    owner.publish_status(status())
    with Visit(browser, gateway.url, "en") as visit:
        visit.log_in()
        visit.shows("connected")
        owner.heartbeats = False
        expect(visit.page.get_by_role("heading", level=1)).to_have_text(visit.texts["state.gone"], timeout=12_000)
        expect(visit.page.locator("#mark")).to_have_attribute("data-tone", "bad")
        visit.picture("worker-gone")


def test_a_reason_of_a_newer_worker_is_shown_as_it_came(
    browser: Browser, gateway: GatewayProcess, owner: Owner
) -> None:
    owner.publish_status(status(state="reconnecting", reason="moon_in_the_way"))
    with Visit(browser, gateway.url, "ar") as visit:
        visit.log_in()
        visit.shows("reconnecting")
        expect(visit.page.locator("#state-reason")).to_contain_text("moon in the way")


def test_without_events_the_page_polls_and_says_so(browser: Browser, gateway: GatewayProcess, owner: Owner) -> None:
    owner.publish_status(status())
    with Visit(browser, gateway.url, "en") as visit:
        visit.context.route("**/events?*", lambda route: route.fulfill(status=503, body="{}"))
        visit.log_in()
        expect(visit.page.locator("#live")).to_have_attribute("data-live", "polling")
        owner.publish_status(status(state="reconnecting", reason="offline"))
        visit.shows("reconnecting")


LONG_NAMES = {
    "arabic": "متجر منى للأزياء والعطور والهدايا " * 40,
    "override": "\u202e\u2067Mona\u202d Store" * 30,
    "emoji": "👨‍👩‍👧‍👦" * 200,
    "zalgo": "".join(letter + "\u0301\u0302\u0489\u035c\u0361" * 40 for letter in "Mona Store " * 20),
    "unbroken": "M" * 5000,
    "markup": "<img src=x onerror=alert(1)>" * 20,
}
EVIL_TEXT = "نص طويل جدًا \u202eevil " + "x" * 3000 + "<b>y</b>" + "\u0301" * 500


def hostile(name: str) -> SessionStatus:
    healthy = lately(status())
    return msgspec.structs.replace(
        healthy,
        account=Account(number="201234567890", name=name, platform=name),
        reason=EVIL_TEXT,
        detail=EVIL_TEXT,
        session_path=f"/data/{name}",
        backups=msgspec.structs.replace(healthy.backups, last_error=EVIL_TEXT),
        browser=msgspec.structs.replace(healthy.browser, version=name, page_version=EVIL_TEXT),
        profile=msgspec.structs.replace(healthy.profile, missing_files=(EVIL_TEXT, name)),
        history=tuple(msgspec.structs.replace(each, reason=EVIL_TEXT) for each in healthy.history),
    )


OUTSIDE = """
() => [...document.querySelectorAll("main *")].filter((each) => {
  const card = each.closest(".card");
  if (!card || each.closest("details:not([open]) > :not(summary)")) return false;
  if (!each.getClientRects().length || getComputedStyle(each).overflow === "hidden") return false;
  const box = each.getBoundingClientRect(), frame = card.getBoundingClientRect();
  const clipped = each.parentElement.closest(".account-text strong, .avatar, .history");
  return !clipped && (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1);
}).map((each) => `${each.tagName}#${each.id}.${each.className}`)
"""
"""Elements that stick out of their card."""


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_text_from_outside_breaks_a_card(
    browser: Browser, gateway: GatewayProcess, owner: Owner, language: str, width: int
) -> None:
    owner.publish_status(hostile("x"))
    warning = report()
    owner.publish_report(
        msgspec.structs.replace(
            warning,
            issues=tuple(msgspec.structs.replace(each, text=EVIL_TEXT, text_ar=EVIL_TEXT) for each in warning.issues),
            recommendations=tuple(
                msgspec.structs.replace(each, text=EVIL_TEXT, text_ar="", evidence=EVIL_TEXT)
                for each in warning.recommendations
            ),
        )
    )
    with Visit(browser, gateway.url, language, width=width) as visit:
        visit.log_in()
        for kind, name in LONG_NAMES.items():
            reported = hostile(name)
            owner.publish_status(reported)
            expect(visit.page.locator("#account-name")).to_have_text(re.compile(re.escape(shown_name(name)[:3])))
            assert visit.page.evaluate(OUTSIDE) == [], kind
            wide = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, kind
            tall = visit.page.locator(".account").bounding_box()
            assert tall is not None
            assert tall["height"] < 120, kind
            if kind in ("arabic", "zalgo"):
                visit.picture(f"hostile-{kind}-{width}")
        assert visit.page.locator("main img[src=x], main b").count() == 0


@pytest.mark.parametrize("language", ["en", "ar"])
def test_logins_are_shown_and_ended_on_the_page(
    browser: Browser, gateway: GatewayProcess, owner: Owner, language: str
) -> None:
    owner.publish_status(lately(status()))
    with Visit(browser, gateway.url, language) as mine, Visit(browser, gateway.url, "en") as other:
        other.log_in()
        mine.log_in()
        mine.page.get_by_text(mine.texts["logins.show"]).click()
        rows = mine.page.locator("#logins li")
        expect(rows).to_have_count(2)
        expect(rows.filter(has_text=mine.texts["logins.current"])).to_have_count(1)
        expect(rows.first).to_contain_text("127.0.0.1")
        mine.picture("logins")
        rows.filter(has_not_text=mine.texts["logins.current"]).get_by_role("button").click()
        expect(rows).to_have_count(1)
        expect(mine.page.locator("#logins-result")).to_have_text(mine.texts["logins.ended"])
        expect(other.page.locator("#login-form")).to_be_visible()  # its stream ended, so it asked and was refused
        mine.page.locator("#logins-end").click()
        mine.page.locator("#confirm-yes").click()
        expect(mine.page.locator("#login-form")).to_be_visible()
