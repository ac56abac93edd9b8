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
    ("written", "number"),
    [
        ('"+20 123"', None),
        ('"+20 123 456 7890"', "201234567890"),
        ('"(+20) 123-456-7890"', "201234567890"),
        ('"20.123.456.7890"', "201234567890"),
        ('"\u0662\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660"', "201234567890"),
        ('"\u06f2\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5"', "2012345"),
        ('"\u202a+20 123 456 7890\u202c"', "201234567890"),
        ('"\u00b2\u2070123456789"', None),
        ('"-201234567890"', None),
        ('"+-201234567890"', None),
        ('"\u2212201234567890"', None),
        ('"201234567890.0"', None),
        ('"201234567890.5"', None),
        ('"1e5"', None),
        ('"1e11"', None),
        ('"0x2EDBF5E2D2"', None),
        ('"00201234567890"', None),
        ('"20123456789O"', None),
        ('"2012345678901234"', None),
        ('"++201234567890"', None),
        ('"201234567890;ext=5"', None),
        ('"  "', None),
        ('""', None),
        ("-201234567890", None),
        ("2.5", None),
        ("201234567890.5", None),
        ("201234567890.0", None),
        ("2.0123456789e11", None),
        ("1e5", None),
        ("1e11", None),
        ("0", None),
        ("-0", None),
        ("9" * 4999, None),
        ("true", None),
        ("false", None),
        ("null", None),
        ("[201234567890]", None),
        ("{}", None),
        ("NaN", None),
        ("Infinity", None),
    ],
)
@pytest.mark.parametrize("action", [Action.SEND_TEST_MESSAGE, Action.PAIR_PHONE])
def test_only_what_is_certainly_a_phone_number_is_one(action: Action, written: str, number: str | None) -> None:
    body = f'{{"action": "{action}", "phoneNumber": {written}, "message": "hello"}}'.encode()
    if number is not None:
        assert action_request(body).values[0] == number
        return
    with pytest.raises(Invalid):
        action_request(body)


@given(some.floats() | some.integers(max_value=0) | some.booleans() | some.decimals(allow_nan=False).map(str))
def test_no_fraction_no_negative_and_no_boolean_is_a_number(value: Any) -> None:
    if isinstance(value, str) and value.isdigit():
        return
    with pytest.raises(Invalid):
        read(SEND | {"phoneNumber": value})


INVISIBLE = [
    "   ", "\t\r\n", "\u00a0\u2003\u3000", "\u200b", "\u200c\u200d", "\u2060", "\ufeff", "\u00ad", "\x00\x07\x1b",
    "\x7f\x9b", "\u200e\u200f\u061c", "\u202a\u202b\u202c\u202d\u202e", "\u2066\u2067\u2068\u2069", "\ufe0f",
    "\ufe00\ufe0e", "\U000e0100", "\U000e0041\U000e007f", "\u034f", "\u0301\u0302", "\u064b", "\u115f\u1160", "\u3164",
    "\uffa0", "\u2800", "\u17b4", "\u180e", "\u2028\u2029", "\U0001d173",
]  # fmt: skip


@pytest.mark.parametrize("text", INVISIBLE)
def test_a_message_without_a_visible_character_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(SEND | {"message": text})
    assert refused.value.code == "bad_message"
    assert read(SEND | {"message": f"{text}."}).values[1] == f"{text}."


@given(some.text(some.sampled_from("".join(INVISIBLE)), min_size=1, max_size=50))
def test_no_mixture_of_invisible_characters_is_a_message(text: str) -> None:
    with pytest.raises(Invalid):
        read(SEND | {"message": text})


@pytest.mark.parametrize("text", ["a", "0", "؟", "م", "👍", "👨\u200d👩", "🏳️", "\u200bx", "-", "\ue000"])
def test_a_message_with_a_visible_character_is_sent_as_it_is(text: str) -> None:
    assert read(SEND | {"message": text}).values[1] == text


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
