"""Texts that others wrote, made fit to be shown: names of accounts and devices, errors of the page, reasons.

Such a text may steer a terminal, turn the writing direction of all that follows, tower over a card with stacked marks,
or be longer than the place that it goes to. What is left is one line of whole characters. Whoever shows it isolates it
besides: `<bdi>` or `dir="auto"` in a page, `isolated` at a terminal.
"""

from __future__ import annotations

import regex

MAX_NAME = 80
MAX_SENTENCE = 400
"""Characters as people count them (grapheme clusters)."""
MARKS = 4
"""Marks on one letter. Arabic and Vietnamese need three at most; stacks of more are drawn over other lines."""

_CHARACTER = regex.compile(r"\X")
_BLANK = regex.compile(r"[\p{White_Space}\p{Cc}]+")
_STEERING = regex.compile(r"[\u202a-\u202e\u2066-\u2069\p{Cs}]")
"""What embeds, overrides or isolates a direction, and halves of characters."""
_STACKED = regex.compile(rf"(\p{{M}}{{{MARKS}}})\p{{M}}+")
_UNSEEN = regex.compile(r"[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]")
_HARMLESS = "\n\t\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_LONGEST_CHARACTER = 32
"""Code points. A family of emojis needs eleven; without a limit one "character" can hold a whole book."""


def shown(text: str, most: int = MAX_SENTENCE) -> str:
    """`text` as one line of at most `most` characters; a longer text ends with `…`."""
    if text.isascii() and text.isprintable() and len(text) <= most:
        return text
    line = _BLANK.sub(" ", _STEERING.sub("", text[: most * _LONGEST_CHARACTER])).strip()
    line = _STACKED.sub(r"\1", line)
    characters = [found.group()[:_LONGEST_CHARACTER] for found in _CHARACTER.finditer(line)]
    if len(characters) <= most and len(text) <= most * _LONGEST_CHARACTER:
        return "".join(characters)
    return "".join(characters[: most - 1]).rstrip() + "…"


def name(text: str) -> str:
    """`shown`, short enough for a name."""
    return shown(text, MAX_NAME)


def isolated(text: str) -> str:
    """`text` with a writing direction of its own, which what stands around it cannot see."""
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}" if text and not text.isascii() else text


def escaped(text: str) -> str:
    r"""`text` with everything that steers a terminal written as `\u001b`. What words of other scripts and emojis are
    made of stays, and so do line ends and tabs."""
    return _UNSEEN.sub(lambda found: _escape(found.group()), text)


def _escape(character: str) -> str:
    if character in _HARMLESS:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else "".join(f"\\u{half:04x}" for half in _halves(code))


def _halves(code: int) -> tuple[int, int]:
    """As JSON writes a character beyond U+FFFF."""
    above = code - 0x10000
    return 0xD800 + (above >> 10), 0xDC00 + (above & 0x3FF)
