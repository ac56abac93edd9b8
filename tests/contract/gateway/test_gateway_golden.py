"""The exact answer of each action, as files in golden/. A figure that differs each time is replaced by its type.
GOLDEN=write accepts a change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from gateway_stage import API, KEY, NOON, SESSION, Owner, pairing, report, status

from gateway.bootstrap import Gateway
from shared.contracts.commands import SendResult, SendTest
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.testing import eventually_sync

GOLDEN = Path(__file__).parent / "golden"
CHANGING = {
    "systemInfo.uptime", "systemInfo.version", "systemInfo.memory.rss", "systemInfo.memory.heapTotal",
    "systemInfo.memory.heapUsed", "systemInfo.memory.external", "status.qrImage",
}  # fmt: skip


def steady(value: Any, path: str = "") -> Any:
    if isinstance(value, dict):
        return {name: steady(each, f"{path}.{name}".lstrip(".")) for name, each in value.items()}
    if path in CHANGING and value is not None:
        return f"<{type(value).__name__}>"
    return value


def check(name: str, status_code: int, body: Any) -> None:
    text = json.dumps({"http": status_code, "body": steady(body)}, indent=2, ensure_ascii=False) + "\n"
    file = GOLDEN / f"{name}.json"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text)
    assert text == file.read_text()


def show(gateway: Gateway, owner: Owner, reported: SessionStatus, wanted: str = "running", request: int = 1) -> None:
    """Publish, and wait until the gateway has seen the status, the desired state and a verdict."""
    owner.put(SessionRecord(session=SESSION, desired=wanted, requested_at=NOON, request=request))
    owner.publish_status(reported)

    def seen() -> bool:
        owner.publish_report(report())
        observed = gateway.view.session(SESSION)
        return (
            observed.status == reported
            and observed.record is not None
            and bool(observed.report)
            and observed.owner is not None
        )

    eventually_sync(seen, message="the gateway has seen everything")


def post(client: FlaskClient, **body: Any) -> Any:
    return client.post(API, json=body, headers=KEY | {"Idempotency-Key": "golden-1"})


def test_get_of_a_connected_session(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    show(gateway, owner, status())
    answer = client.get(API, headers=KEY)
    check("get-connected", answer.status_code, answer.json)


def test_get_while_pairing(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    show(gateway, owner, pairing())
    answer = client.get(API, headers=KEY)
    assert answer.json["status"]["qrImage"].startswith("data:image/png;base64,")
    check("get-pairing", answer.status_code, answer.json)


def test_get_of_a_session_that_never_was(gateway: Gateway, client: FlaskClient) -> None:
    answer = client.get(API, headers=KEY)
    check("get-nothing", answer.status_code, answer.json)


def test_initialize_of_a_connected_session(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    show(gateway, owner, status())
    answer = post(client, action="initialize")
    check("initialize-connected", answer.status_code, answer.json)


def test_initialize_up_to_the_code(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    show(gateway, owner, status(state="stopped", reason="stopped", account=None), wanted="stopped")
    owner.carry_out = lambda record: [pairing(request=record.request)]
    answer = post(client, action="initialize")
    body = answer.json
    assert (body["next"], body["status"]["requested"]) == ("pairing", 2)
    check("initialize-pairing", answer.status_code, body)


def test_clear(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    show(gateway, owner, status())
    owner.carry_out = lambda record: [
        status(state="stopped", reason="cleared", detail="Cleared.", account=None, request=record.request, history=())
    ]
    answer = post(client, action="clear")
    assert answer.json["next"] == "cleared"
    check("clear", answer.status_code, answer.json)


def test_health_check(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    show(gateway, owner, status())
    answer = post(client, action="health-check")
    check("health-check", answer.status_code, answer.json)


@pytest.mark.parametrize("name", ["send-test-message", "pair-phone", "backup", "restore", "backups"])
def test_each_other_action(name: str, gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    show(gateway, owner, pairing() if name == "pair-phone" else status())
    fields = (
        {"phoneNumber": "+20 123 456 7890", "message": "hello"} if name in ("send-test-message", "pair-phone") else {}
    )
    answer = post(client, action=name, **fields)
    check(name, answer.status_code, answer.json)


def test_a_repeated_test_message_says_so(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    show(gateway, owner, status())
    owner.answers[SendTest] = SendResult(outcome="sent", command_id="golden-1", message_id="id-1", ack=2, repeated=True)
    answer = post(client, action="send-test-message", phoneNumber="201234567890", message="hello")
    check("send-test-message-repeated", answer.status_code, answer.json)


def test_the_worker_is_asked_with_the_callers_key(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    show(gateway, owner, status())
    post(client, action="send-test-message", phoneNumber="201234567890", message="hello")
    assert [command for _, command in owner.received] == ["golden-1"]
