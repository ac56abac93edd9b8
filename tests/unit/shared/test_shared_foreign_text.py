"""Texts from outside: one line, whole characters, no steering, no towers."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.contracts.foreign_text import MARKS, MAX_NAME, escaped, isolated, name, shown

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
ZALGO = "".join(f"{letter}" + "\u0301\u0489\u035c" * 60 for letter in "zalgo")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Mona Store", "Mona Store"),
        ("متجر منى", "متجر منى"),
        ("مُحَمَّد", "مُحَمَّد"),
        (FAMILY, FAMILY),
        ("  a \n\t b  ", "a b"),
        ("\x1b[31mred\x07", "[31mred"),
        ("user\u202egpj.exe", "usergpj.exe"),
        ("\u2069out\u2066", "out"),
        ("", ""),
        ("\x00", ""),
    ],
)
def test_a_text_is_made_fit_to_be_shown(text: str, left: str) -> None:
    assert shown(text) == left


def test_a_long_name_is_cut_between_characters() -> None:
    assert name(FAMILY * 200) == FAMILY * (MAX_NAME - 1) + "…"
    assert name("x" * MAX_NAME) == "x" * MAX_NAME
    assert name("x" * (MAX_NAME + 1)) == "x" * (MAX_NAME - 1) + "…"
    assert len(name("a" + "\u200d" * 1_000_000)) < 100


def test_marks_do_not_tower() -> None:
    left = name(ZALGO)
    assert unicodedata.normalize("NFD", left)[0] == "z"
    assert sum(unicodedata.category(each).startswith("M") for each in left) <= MARKS * 5


@given(some.text(some.characters(), max_size=300))
def test_nothing_that_steers_is_left(text: str) -> None:
    for character in shown(text, 50):
        assert unicodedata.category(character) not in ("Cc", "Cs"), ascii(character)
        assert character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
    assert shown(shown(text, 50), 50) == shown(text, 50)


@given(some.text(some.characters(blacklist_categories=("Cs",)), max_size=300))
def test_escaped_json_still_means_the_same(text: str) -> None:
    written = escaped(json.dumps(text, ensure_ascii=False))
    assert json.loads(written) == text
    assert not any(unicodedata.category(each) == "Cc" for each in written)


def test_a_terminal_is_not_steered() -> None:
    assert escaped("\x1b]0;title\x07\x9b2J \u202e") == "\\u001b]0;title\\u0007\\u009b2J \\u202e"
    assert escaped("متجر\u200f\n\tمنى") == "متجر\u200f\n\tمنى"


def test_only_a_text_with_a_direction_of_its_own_is_isolated() -> None:
    assert isolated("Mona") == "Mona"
    assert isolated("منى") == "\u2068منى\u2069"
