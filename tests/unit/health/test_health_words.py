"""Figures and foreign texts as people read them, in both languages."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health.domain import recommendations
from health.domain.checks import CHECKS, browser, connection, copies, profile, system
from health.domain.words import LONGEST_FOREIGN_TEXT, NUMBER_LIKE, Words, plain, size, span


def _all_words() -> list[Words]:
    modules = (browser, connection, copies, profile, system)
    constants = [value for module in modules for value in vars(module).values() if isinstance(value, Words)]
    table = [words for check in CHECKS for words in (check.title, check.meaning, check.remedy)]
    return [*constants, *table, *connection.BLAMES.values(), *(rule.words for rule in recommendations.RULES)]


def _gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("words", _all_words(), ids=lambda words: words.en[:40])
def test_each_text_is_there_in_both_languages_with_the_same_gaps(words: Words) -> None:
    assert _gaps(words.en) == _gaps(words.ar)
    assert any("؀" <= letter <= "ۿ" for letter in words.ar)
    assert words.en.isascii() or "“" in words.en
    assert words.en[0].isupper() or words.en[0] == "{"


@pytest.mark.parametrize(
    ("seconds", "en", "ar"),
    [
        (0, "0 s", "0 ثانية"),
        (1, "1 s", "ثانية واحدة"),
        (2, "2 s", "ثانيتين"),
        (90, "90 s", "90 ثانية"),
        (120, "2 min", "دقيقتين"),
        (300, "5 min", "5 دقائق"),
        (660, "11 min", "11 دقيقة"),
        (7200, "2 h", "ساعتين"),
        (10 * 3600, "10 h", "10 ساعات"),
        (3 * 86400, "3 d", "3 أيام"),
        (103 * 86400, "103 d", "103 أيام"),
        (-5, "0 s", "0 ثانية"),
    ],
)
def test_a_duration_is_said_in_its_largest_fitting_unit(seconds: float, en: str, ar: str) -> None:
    assert span(seconds) == Words(en, ar)


def test_a_size_is_said_in_megabytes() -> None:
    assert size(157 * 1024 * 1024) == Words("157 MB", "157 ميغابايت")


def test_a_gap_is_filled_in_its_language() -> None:
    assert Words("for {span}", "منذ {span}").fill(span=span(300)) == Words("for 5 min", "منذ 5 دقائق")


@pytest.mark.parametrize(
    "text",
    ["201234567890", "+20 123 456 7890", "+20 (123) 456-7890", "call 201234567890@c.us", "a" * 75 + "201234567890"],
)
def test_nothing_like_a_phone_number_passes(text: str) -> None:
    assert not any(part in plain(text) for part in ("2012", "7890", "3456"))


@given(st.text(max_size=300))
def test_a_foreign_text_becomes_one_short_line(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= LONGEST_FOREIGN_TEXT
    assert shown.isprintable()
    assert not NUMBER_LIKE.search(shown)


def test_what_is_harmless_is_kept() -> None:
    assert plain("needs_attention: cannot_reconnect") == "needs_attention: cannot_reconnect"
    assert plain("Default/IndexedDB/https_web.whatsapp.com_0") == "Default/IndexedDB/https_web.whatsapp.com_0"
