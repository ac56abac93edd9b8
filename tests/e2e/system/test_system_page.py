"""A person's way through the page, in the real browser on the real system: key, QR, connected, test message."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from whole_system import System

from shared.browsers import find_browser
from standin.client import Phone

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(240)]

ARTEFACTS = Path(os.environ.get("TEST_ARTEFACTS", "test-artefacts"))
CONNECTED = {"en": "Connected", "ar": "متصل"}


@pytest.fixture
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser("headless-shell"))
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        yield page
        browser.close()


def picture(page: Page, name: str) -> None:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_person_links_a_phone_and_sends_a_test_message(
    system: System, phone: Phone, browser_page: Page, language: str
) -> None:
    page = browser_page
    system.up()
    page.goto(f"{system.url}/persistent-session?lang={language}")
    expect(page.locator("html")).to_have_attribute("dir", "rtl" if language == "ar" else "ltr")
    page.fill("#key", system.key)
    page.click("#login-form button[type=submit]")

    expect(page.locator("#qr")).to_be_visible(timeout=40_000)
    picture(page, f"system-{language}-qr")
    phone.scan()

    expect(page.locator("#state-name")).to_contain_text(CONNECTED[language], timeout=40_000)
    expect(page.locator("#link")).to_be_hidden()
    page.fill("#test-number", "201234567890")
    page.fill("#test-message", "سلام" if language == "ar" else "hello")
    page.click("#test-send")
    expect(page.locator("#test-result")).not_to_be_empty(timeout=10_000)
    expect(page.locator("#verdict")).to_have_attribute("data-level", "healthy", timeout=30_000)
    picture(page, f"system-{language}-connected")

    assert [message.to.split("@")[0] for message in phone.messages()] == ["201234567890"]
