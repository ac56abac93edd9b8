"""What comes from outside: numbers that are none, messages without ink, names that steer a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from whole_system import OLD_API, System

from standin.client import Phone

NUMBERS = [
    "-201234567890", "201234567890.5", "201234567890.0", "2.0123456789e11", "1e11", "true", "null", "[201234567890]",
    '"-201234567890"', '"201234567890.5"', '"1e11"', '"+20 123"', '"+-201234567890"', '"0x2edbf5e2d2"', "9" * 300,
]  # fmt: skip
"""As JSON."""
BLANKS = ["   ", "\u200b\u200f", "\u202e\u2066", "\ufe0f", "\u2800", "\u3164", "\x00\x1b", "\U000e0041", "\u0301"]


@pytest.fixture(autouse=True)
def nothing_is_sent(phone: Phone) -> Iterator[None]:
    """Each attack leaves the phone without a message."""
    yield
    assert phone.messages() == []


@pytest.mark.parametrize("action", ["send-test-message", "pair-phone"])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_that_is_none_is_refused(system: System, action: str, number: str) -> None:
    body = f'{{"action": "{action}", "phoneNumber": {number}, "message": "to nobody"}}'
    answer = httpx.post(system.url + OLD_API, content=body, headers={"X-API-Key": system.key}, timeout=6)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert number.strip('"') not in answer.text or number in ("true", "null")


@pytest.mark.parametrize("text", BLANKS, ids=ascii)
def test_a_message_without_ink_is_refused(system: System, text: str) -> None:
    answer = system.post("send-test-message", phoneNumber="201234567890", message=text)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_message")


def test_clearing_what_never_existed_makes_nothing_and_says_so(system: System) -> None:
    known = system.get()["status"]["requested"]
    answer = system.post("clear", session="never-was").json()
    assert (answer["next"], answer["status"]["wanted"]) == ("nothing", None)
    assert "no such session" in answer["message"]
    asked = httpx.get(f"{system.url}{OLD_API}?session=never-was", headers={"X-API-Key": system.key}, timeout=6)
    assert asked.status_code == 404
    assert not any("never-was" in str(path) for folder in (system.data, system.sessions) for path in folder.rglob("*"))
    for service in ("browser-worker", "backup"):
        assert "never-was" not in json.dumps(system.log_of(service))
    assert system.get()["status"]["requested"] == known


def test_no_field_writes_a_line_into_the_log_or_steers_a_terminal(system: System) -> None:
    evil = '\x1b]0;owned\x07\n{"event": "forged"}\r\u202e'
    for fields in ({"session": evil}, {"backupId": evil}, {"phoneNumber": evil}, {"message": evil}):
        system.post("restore" if "backupId" in fields else "send-test-message", **fields)
    system.post(evil)
    httpx.get(f"{system.url}/{evil.encode().hex()}%0a%1b", headers={"X-API-Key": system.key}, timeout=6)
    for log in (system.data / "logs").glob("*.log"):
        text = log.read_text(errors="replace")
        assert "\x1b]" not in text
        assert '{"event": "forged"}' not in text.splitlines()
    said = system.cli("restore", "--yes", evil, check=False)
    assert "\x1b]" not in said
    assert "\u202e" not in said
