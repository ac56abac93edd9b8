"""Keeps keys, phone numbers, message texts and QR data out of the logs.

Redaction works on the line that is about to be written, so that it also covers a forgotten field and a library's own
lines.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

REDACTED = "[redacted]"
SHORTEST_SECRET = 6
"""Redacting shorter texts would hide ordinary words."""

_SECRET_NAMES = re.compile(
    r"(^|_)(api_?key|master_?key|access_?key(_id)?|private_?key|secret|token|seed|password|passphrase|authorization|cookie"
    r"|number|phone|phone_?number|text|body|message|qr|qr_?code|qr_?image|link_?code|pairing_?code)$",
    re.IGNORECASE,
)
_PATTERNS = (
    re.compile(r"\bS[UAON][A-Z2-7]{40,}\b"),  # nkey seed
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),  # user and password in a URL
    re.compile(r"(?<=Bearer )\S+", re.IGNORECASE),
    re.compile(r"(?<=X-Amz-Signature=)[0-9a-fA-F]+|(?<=X-Amz-Credential=)[^&\s]+"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"data:image/[^\s\"']+"),
    re.compile(r"\b\d@[A-Za-z0-9+/=,]{20,}"),  # what a pairing QR encodes
    re.compile(r"(?<![\w.:-])\+?\d[\d ().-]{5,17}\d(?=@)"),  # a chat's address
    re.compile(r"(?<![\w.:/-])(?:\+\d[\d ().-]{5,17}\d|[1-9]\d{6,14})(?![\w.:/-]\w)"),  # a phone number
)
_secrets: set[str] = set()


def never_log(secret: str) -> None:
    """Redact this exact text in every line from now on."""
    if len(secret) >= SHORTEST_SECRET:
        _secrets.add(secret)


def clean(text: str) -> str:
    """`text` without secrets and numbers."""
    for secret in _secrets:
        text = text.replace(secret, REDACTED)
    for pattern in _PATTERNS:
        text = pattern.sub(REDACTED, text)
    return text


def clean_value(name: str, value: Any) -> Any:
    """The value of the field `name` as the log may show it: numbers and booleans stay, nested values are cleaned."""
    if _SECRET_NAMES.search(name) and value not in (None, "", True, False):
        return REDACTED
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): clean_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean_value("", item) for item in value]
    return clean(str(value))


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor."""
    for name, value in list(event.items()):
        if not name.startswith("_"):
            event[name] = clean(value) if name == "event" and isinstance(value, str) else clean_value(name, value)
    return event
