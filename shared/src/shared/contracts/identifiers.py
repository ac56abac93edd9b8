"""What a session id, a phone number, a message text and an API key may look like."""

from __future__ import annotations

import re

import regex

SESSION_ID = re.compile(r"[a-z0-9-]{1,63}")
PHONE_NUMBER = re.compile(r"[1-9][0-9]{6,14}")
MAX_MESSAGE_CHARACTERS = 4096
MAX_BODY_BYTES = 64 * 1024
MIN_KEY_CHARACTERS = 32
MIN_KEY_VARIETY = 8
"""Different characters. A random key of 32 hexadecimal digits has fewer about once in 25 million."""
HOW_TO_MAKE_A_KEY = "make one with: openssl rand -hex 32"

_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
"""The digits of Arabic and Persian keyboards."""
_BIDI_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Address books put them around a number."""
_WRITTEN = re.compile(r"\(?\+?[0-9(][0-9\s\-().]*")
_FRACTION = re.compile(r"[0-9]+\.[0-9]*")
_VISIBLE = regex.compile(r"[^\p{White_Space}\p{Cc}\p{Cf}\p{Cs}\p{M}\p{Default_Ignorable_Code_Point}\u2800]")
"""A character that leaves ink. U+2800 is a Braille cell without dots; a mark alone has nothing to stand on."""


class BadIdentifier(ValueError):
    """The text is safe to show: it never repeats the value."""


def session_id(text: str) -> str:
    """`text` when it is a session id. Raises BadIdentifier."""
    if not SESSION_ID.fullmatch(text):
        raise BadIdentifier("a session id is 1 to 63 of: small letters a-z, digits, hyphen")
    return text


def phone_number(text: str) -> str:
    """E.164 digits without the plus: `+20 123-456 7890` → `201234567890`. Raises BadIdentifier, also for what reads as
    a negative number or a fraction: a guess would send to a stranger."""
    written = _BIDI_MARKS.sub("", text).strip().translate(_DIGITS)
    digits = re.sub(r"[\s\-().+]", "", written)
    well_written = _WRITTEN.fullmatch(written) and not _FRACTION.fullmatch(written)
    if not well_written or not PHONE_NUMBER.fullmatch(digits):
        raise BadIdentifier("a phone number is 7 to 15 digits with the country code, such as 201234567890")
    return digits


def message_text(text: str) -> str:
    """`text` when it can be sent. Raises BadIdentifier."""
    if not _VISIBLE.search(text):
        raise BadIdentifier("the message is empty: it has no visible character")
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise BadIdentifier(f"the message is longer than {MAX_MESSAGE_CHARACTERS} characters")
    return text


def key_weakness(key: str) -> str:
    """Why `key` cannot be an API key, or "". The text never repeats the key."""
    if len(key) < MIN_KEY_CHARACTERS:
        return f"is shorter than {MIN_KEY_CHARACTERS} characters"
    if len(set(key)) < MIN_KEY_VARIETY:
        return f"has fewer than {MIN_KEY_VARIETY} different characters"
    return ""
