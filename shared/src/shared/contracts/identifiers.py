"""What a session id, a phone number and a message text may look like."""

from __future__ import annotations

import re

SESSION_ID = re.compile(r"[a-z0-9-]{1,63}")
PHONE_NUMBER = re.compile(r"[1-9][0-9]{6,14}")
MAX_MESSAGE_CHARACTERS = 4096
MAX_BODY_BYTES = 64 * 1024


class BadIdentifier(ValueError):
    """The text is safe to show: it never repeats the value."""


def session_id(text: str) -> str:
    """`text` when it is a session id. Raises BadIdentifier."""
    if not SESSION_ID.fullmatch(text):
        raise BadIdentifier("a session id is 1 to 63 of: small letters a-z, digits, hyphen")
    return text


def phone_number(text: str) -> str:
    """E.164 digits without the plus: `+20 123-456 7890` → `201234567890`. Raises BadIdentifier."""
    digits = re.sub(r"[\s\-().]", "", text).removeprefix("+")
    if not PHONE_NUMBER.fullmatch(digits):
        raise BadIdentifier("a phone number is 7 to 15 digits with the country code, such as 201234567890")
    return digits


def message_text(text: str) -> str:
    """`text` when it can be sent. Raises BadIdentifier."""
    if not text.strip():
        raise BadIdentifier("the message is empty")
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise BadIdentifier(f"the message is longer than {MAX_MESSAGE_CHARACTERS} characters")
    return text
