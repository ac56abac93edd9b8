"""The front door: what a client without a key, or with a wrong one, learns and changes."""

from __future__ import annotations

import httpx
import pytest
from whole_system import OLD_API, System

from standin.client import Phone

SEND = {"action": "send-test-message", "phoneNumber": "201234567890", "message": "not from the owner"}


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": ""}, {"X-API-Key": "x" * 43}], ids=["none", "empty", "wrong"])
def test_without_the_key_nothing_is_told_and_nothing_is_sent(
    system: System, phone: Phone, headers: dict[str, str]
) -> None:
    asked = httpx.get(f"{system.url}{OLD_API}", headers=headers, timeout=6)
    sent = httpx.post(f"{system.url}{OLD_API}", json=SEND, headers=headers, timeout=6)
    assert (asked.status_code, sent.status_code) == (401, 401)
    assert "status" not in asked.json()
    assert phone.messages() == []
