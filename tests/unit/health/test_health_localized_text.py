"""Figures and texts of other services as people read them, in both languages."""

from __future__ import annotations

import string

import pytest
from health_samples import CHECK_MODULES, problems
from hypothesis import given
from hypothesis import strategies as st

from health.domain.checks import CHECKS, RULES
from health.domain.localized_text import (
    MAX_SAFE_TEXT,
    NUMBER_LIKE,
    LocalizedText,
    duration,
    megabytes,
    safe_text,
)


def _all_texts() -> list[LocalizedText]:
    constants = [
        value for module in CHECK_MODULES for value in vars(module).values() if isinstance(value, LocalizedText)
    ]
    table = [text for check in CHECKS for text in (check.title, check.meaning, check.remedy)]
    return [
        *constants,
        *table,
        *(each.text for each in problems()),
        *(rule.text for rule in RULES),
    ]


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("text", _all_texts(), ids=lambda text: text.en[:40])
def test_each_text_exists_in_both_languages_with_the_same_placeholders(text: LocalizedText) -> None:
    assert _placeholders(text.en) == _placeholders(text.ar)
    assert any("؀" <= letter <= "ۿ" for letter in text.ar)
    assert text.en.isascii() or "“" in text.en
    assert text.en[0].isupper() or text.en[0] == "{"


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
    assert duration(seconds) == LocalizedText(en, ar)


def test_a_size_is_said_in_megabytes() -> None:
    assert megabytes(157 * 1024 * 1024) == LocalizedText("157 MB", "157 ميغابايت")


def test_a_placeholder_is_filled_in_its_language() -> None:
    assert LocalizedText("for {span}", "منذ {span}").fill(span=duration(300)) == LocalizedText(
        "for 5 min", "منذ 5 دقائق"
    )


@pytest.mark.parametrize(
    "text",
    ["201234567890", "+20 123 456 7890", "+20 (123) 456-7890", "call 201234567890@c.us", "a" * 75 + "201234567890"],
)
def test_nothing_like_a_phone_number_passes(text: str) -> None:
    assert not any(part in safe_text(text) for part in ("2012", "7890", "3456"))


@given(st.text(max_size=300))
def test_a_text_of_another_service_becomes_one_short_line(text: str) -> None:
    shown = safe_text(text)
    assert len(shown) <= MAX_SAFE_TEXT
    assert shown.isprintable()
    assert not NUMBER_LIKE.search(shown)


def test_harmless_text_passes_unchanged() -> None:
    assert safe_text("needs_attention: cannot_reconnect") == "needs_attention: cannot_reconnect"
    assert safe_text("Default/IndexedDB/https_web.whatsapp.com_0") == "Default/IndexedDB/https_web.whatsapp.com_0"
