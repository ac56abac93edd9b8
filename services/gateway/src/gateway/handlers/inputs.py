"""What a request asks for, read strictly. Everything here raises `Invalid`, with texts that never repeat a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.contracts import identifiers
from shared.contracts.errors import Invalid

COMMAND_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
BACKUP_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
Fields = Mapping[str, Any]
"""The JSON object of a body."""


def body(data: bytes) -> Fields:
    """The JSON object in `data`."""
    try:
        parsed = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("the body is not valid JSON", code="bad_json", hint='send {"action": "…"}') from None
    if not isinstance(parsed, dict):
        raise Invalid("the body is not a JSON object", code="bad_json", hint='send {"action": "…"}')
    return parsed


def session(name: str) -> str:
    """A session id, or "" for the default session."""
    try:
        return identifiers.session_id(name) if name else ""
    except identifiers.BadIdentifier as error:
        raise Invalid(str(error), code="bad_session") from None


def command_id(key: str) -> str:
    """The caller's Idempotency-Key, or "" when there is none."""
    if key and not COMMAND_ID.fullmatch(key):
        raise Invalid("an Idempotency-Key is 1 to 64 letters, digits, _ or -", code="bad_idempotency_key")
    return key


def text(fields: Fields, name: str) -> str:
    """The text of a field, or "" when the field is missing or null."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"the field {name} must be text", code="bad_field")
    return value


def phone_number(fields: Fields) -> str:
    value = fields.get("phoneNumber")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str | None):
        raise Invalid("the field phoneNumber must be text", code="bad_field")
    if not value:
        raise Invalid("the field phoneNumber is missing", code="missing_field", hint="such as 201234567890")
    try:
        return identifiers.phone_number(value)
    except identifiers.BadIdentifier as error:
        raise Invalid(str(error), code="bad_phone_number") from None


def message(fields: Fields) -> str:
    found = text(fields, "message")
    if not found:
        raise Invalid("the field message is missing", code="missing_field")
    try:
        return identifiers.message_text(found)
    except identifiers.BadIdentifier as error:
        raise Invalid(str(error), code="bad_message") from None


def backup_id(fields: Fields) -> str:
    """A backup's id, or "" when the body names none."""
    found = text(fields, "backupId")
    if found and not BACKUP_ID.fullmatch(found):
        raise Invalid("the field backupId is not the id of a backup", code="bad_backup_id")
    return found
