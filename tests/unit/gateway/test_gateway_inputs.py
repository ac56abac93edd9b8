"""What a body may hold. Errors name the field and never repeat a value."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.handlers import inputs
from gateway.handlers.legacy.actions import Action, ActionRequest, action_request
from shared.contracts.errors import Invalid

SEND = {"action": "send-test-message", "phoneNumber": "201234567890", "message": "hello"}


def read(fields: Any) -> ActionRequest:
    return action_request(json.dumps(fields).encode())


def test_a_test_message_is_read() -> None:
    asked = read(SEND | {"phoneNumber": "+20 123-456 7890"})
    assert (*asked.values, asked.session) == ("201234567890", "hello", "")


def test_a_number_written_as_a_number_is_read_too() -> None:
    assert read(SEND | {"phoneNumber": 201234567890}).values[0] == "201234567890"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "missing_action"),
        ({"action": ""}, "missing_action"),
        ({"action": None}, "missing_action"),
        ({"action": "reboot"}, "unknown_action"),
        ({"action": ["initialize"]}, "unknown_action"),
        ({"action": {}}, "unknown_action"),
        ([], "bad_json"),
        ("initialize", "bad_json"),
        ({"action": "send-test-message"}, "missing_field"),
        ({"action": "send-test-message", "phoneNumber": "201234567890"}, "missing_field"),
        ({"action": "send-test-message", "message": "x"}, "missing_field"),
        (SEND | {"phoneNumber": "12"}, "bad_phone_number"),
        (SEND | {"phoneNumber": "call me"}, "bad_phone_number"),
        (SEND | {"phoneNumber": True}, "bad_field"),
        (SEND | {"phoneNumber": ["201234567890"]}, "bad_field"),
        (SEND | {"message": 5}, "bad_field"),
        (SEND | {"message": "   "}, "bad_message"),
        (SEND | {"message": "x" * 4097}, "bad_message"),
        ({"action": "initialize", "session": "Bad Name"}, "bad_session"),
        ({"action": "initialize", "session": 7}, "bad_field"),
        ({"action": "initialize", "session": "../x"}, "bad_session"),
        ({"action": "pair-phone"}, "missing_field"),
        ({"action": "restore", "backupId": "../../etc"}, "bad_backup_id"),
    ],
)
def test_a_wrong_body_is_refused_with_its_code(fields: Any, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(fields)
    assert refused.value.code == code


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"action": "initialize"'])
def test_bytes_that_are_no_json_are_refused(data: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        action_request(data)
    assert refused.value.code == "bad_json"


@given(some.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(Invalid):
        action_request(data)


@given(some.recursive(some.none() | some.booleans() | some.integers() | some.text(), some.lists, max_leaves=5))
def test_no_value_of_a_field_raises_anything_else(value: Any) -> None:
    for action in Action:
        for name in ("action", "phoneNumber", "message", "session", "backupId"):
            with contextlib.suppress(Invalid):
                read({"action": action, "phoneNumber": "201234567890", "message": "x", name: value})


def test_an_idempotency_key_is_a_plain_token() -> None:
    assert inputs.command_id("order-17_a") == "order-17_a"
    assert inputs.command_id("") == ""
    for bad in ("a b", "x" * 65, "a\nb", "é"):
        with pytest.raises(Invalid):
            inputs.command_id(bad)
