"""What a request asks for, read strictly. Everything here raises `Invalid`, with texts that never repeat a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.domain.actions import Action
from shared.contracts import identifiers
from shared.contracts.errors import Invalid

COMMAND_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
BACKUP_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_ACTIONS_HINT = f"one of: {', '.join(Action)}"


@dataclass(frozen=True)
class ActionRequest:
    """`session` is "" for the default session; the other fields are "" where the action has none."""

    action: Action
    session: str = ""
    phone_number: str = ""
    text: str = ""
    backup_id: str = ""


def body(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`."""
    try:
        parsed = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("the body is not valid JSON", code="bad_json", hint='send {"action": "…"}') from None
    if not isinstance(parsed, dict):
        raise Invalid("the body is not a JSON object", code="bad_json", hint='send {"action": "…"}')
    return parsed


def action_request(data: bytes) -> ActionRequest:
    """The action that a POST's body asks for, with the fields of that action."""
    fields = body(data)
    action = _action(fields)
    return ActionRequest(
        action=action,
        session=session(_text(fields, "session")),
        phone_number=_phone_number(fields) if action in (Action.SEND_TEST_MESSAGE, Action.PAIR_PHONE) else "",
        text=_message(fields) if action is Action.SEND_TEST_MESSAGE else "",
        backup_id=_backup_id(fields) if action is Action.RESTORE else "",
    )


def session(text: str) -> str:
    """A session id, or "" for the default session."""
    try:
        return identifiers.session_id(text) if text else ""
    except identifiers.BadIdentifier as error:
        raise Invalid(str(error), code="bad_session") from None


def command_id(text: str) -> str:
    """The caller's Idempotency-Key, or "" when there is none."""
    if text and not COMMAND_ID.fullmatch(text):
        raise Invalid("an Idempotency-Key is 1 to 64 letters, digits, _ or -", code="bad_idempotency_key")
    return text


def unknown_action() -> Invalid:
    return Invalid("unknown action", code="unknown_action", hint=_ACTIONS_HINT)


def _action(fields: dict[str, Any]) -> Action:
    action = fields.get("action")
    if action is None or action == "":
        raise Invalid("the field action is missing", code="missing_action", hint=_ACTIONS_HINT)
    try:
        return Action(action)
    except ValueError:
        raise unknown_action() from None


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"the field {name} must be text", code="bad_field")
    return value


def _phone_number(fields: dict[str, Any]) -> str:
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


def _message(fields: dict[str, Any]) -> str:
    text = _text(fields, "message")
    if not text:
        raise Invalid("the field message is missing", code="missing_field")
    try:
        return identifiers.message_text(text)
    except identifiers.BadIdentifier as error:
        raise Invalid(str(error), code="bad_message") from None


def _backup_id(fields: dict[str, Any]) -> str:
    text = _text(fields, "backupId")
    if text and not BACKUP_ID.fullmatch(text):
        raise Invalid("the field backupId is not the id of a backup", code="bad_backup_id")
    return text
