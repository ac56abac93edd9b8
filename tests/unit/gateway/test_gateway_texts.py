"""The page's texts: complete in both languages, and the choice between them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gateway
from gateway.domain import texts
from gateway.handlers.legacy.actions import Action
from shared.contracts.sessions import Reason, State

HOME = Path(gateway.__file__).parent
ARABIC = re.compile(r"[\u0600-\u06ff]")


def test_every_text_exists_in_both_languages_with_the_same_places() -> None:
    english, arabic = texts.of("en"), texts.of("ar")
    assert english.keys() == arabic.keys()
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", arabic[key])), key


def test_arabic_texts_are_arabic_and_english_ones_are_not() -> None:
    for key, text in texts.of("ar").items():
        assert ARABIC.search(text) or key == "language.other", key
    for key, text in texts.of("en").items():
        assert not ARABIC.search(text) or key == "language.other", key


def test_every_state_and_action_button_has_a_text() -> None:
    english = texts.of("en")
    for state in State:
        assert f"state.{state}" in english
        assert f"about.{state}" in english
    for action in set(Action) - {"send-test-message", "pair-phone", "backups"}:
        assert f"action.{action}" in english


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_reason_has_a_text_and_every_text_a_reason(language: str) -> None:
    """UNKNOWN is what a reader makes of a reason that it does not know; the page shows that reason as it came."""
    explained = {key.removeprefix("reason.") for key in texts.of(language) if key.startswith("reason.")}
    assert explained == set(Reason) - {Reason.UNKNOWN}


def test_the_page_has_no_size_unit_of_its_own() -> None:
    """Sizes come in MB from the gateway; the page only goes on to GB, which is 1024 MB."""
    for file in (HOME / "static").glob("*.js"):
        assert not re.search(r"1e6|1_?000_?000|1_?048_?576|1024 ?\*|\* ?1024|2 ?\*\* ?20|<< ?20", file.read_text()), (
            file.name
        )


def test_every_key_that_the_page_uses_exists() -> None:
    used = set()
    for file in (HOME / "templates").iterdir():
        used |= set(re.findall(r"""t\[["']([\w.-]+)["']\]""", file.read_text()))
        used |= set(re.findall(r"\bt\.(\w+)", file.read_text()))
    for file in (HOME / "static").glob("*.js"):
        used |= set(re.findall(r"""text\("([\w.-]+)\"""", file.read_text()))
    assert used > {"title", "state.unknown", "test.sending"}
    assert used - texts.of("en").keys() == set()


def test_the_page_names_no_other_host_and_has_no_inline_code() -> None:
    for file in [*(HOME / "templates").iterdir(), *(HOME / "static").iterdir()]:
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, file.name
        assert "https://" not in text, file.name
        assert not re.search(r"\son\w+=|\sstyle=|<style|innerHTML|eval\(", text), file.name


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "language"),
    [
        ("", "", "", "en"),
        ("", "", "ar-EG,ar;q=0.9,en;q=0.8", "ar"),
        ("", "", "en-US,en;q=0.9,ar;q=0.8", "en"),
        ("", "", "en;q=0.5,ar;q=0.9", "ar"),
        ("", "", "fr,de;q=0.9", "en"),
        ("", "", "fr,ar;q=0.1", "ar"),
        ("", "", "ar;q=0", "en"),
        ("", "", "ar;q=lots,,;;", "en"),
        ("", "ar", "en", "ar"),
        ("en", "ar", "ar", "en"),
        ("tlh", "ar", "en", "ar"),
    ],
)
def test_the_language_is_chosen_by_request_cookie_and_browser(
    asked: str, remembered: str, accepted: str, language: str
) -> None:
    assert texts.choose(asked, remembered, accepted) == language
