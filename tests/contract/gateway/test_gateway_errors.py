"""Every error of the old endpoint: HTTP status, code and shape, within 5 s."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import pytest
from flask.testing import FlaskClient
from gateway_stage import API, API_KEY, KEY, NOON, SESSION, Owner, hang, pairing, report, status
from werkzeug.test import TestResponse

from gateway.bootstrap import Gateway
from gateway.domain import texts
from shared.contracts import errors
from shared.contracts.backups import ListBackups
from shared.contracts.commands import BackUpNow, Check, PairPhone, RestoreNow, SendFailure, SendResult, SendTest
from shared.contracts.health import Judge
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.testing import eventually_sync

SEND = {"action": "send-test-message", "phoneNumber": "201234567890", "message": "hello"}
LIMIT_SECONDS = 5.0


def shows(gateway: Gateway, owner: Owner, reported: SessionStatus) -> None:
    owner.publish_status(reported)
    eventually_sync(lambda: gateway.view.session(SESSION).status == reported and gateway.view.session(SESSION).owner)


def post(client: FlaskClient, body: Any = None, **options: Any) -> TestResponse:
    """POST, which must be answered within 5 s."""
    began = perf_counter()
    options.setdefault("headers", KEY)
    answer = client.post(API, **({"json": body} if body is not None else {}), **options)
    assert perf_counter() - began < LIMIT_SECONDS
    return answer


def fails(answer: TestResponse, http_status: int, code: str) -> dict[str, Any]:
    """Check the old clients' shape of a failure; returns the body."""
    assert answer.status_code == http_status, answer.text
    body = answer.get_json()
    assert body["success"] is False
    assert isinstance(body["error"], str)
    assert body["error"]
    assert body["code"] == code
    assert isinstance(body["hint"], str)
    return dict(body)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "wrong"},
        {"X-API-Key": API_KEY[:-1]},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {API_KEY}"},
        {"X-API-Key": "wrong", "Authorization": f"Bearer {API_KEY}"},
    ],
)
def test_a_wrong_or_absent_key_is_401(client: FlaskClient, headers: dict[str, str]) -> None:
    fails(post(client, {"action": "initialize"}, headers=headers), 401, "unauthorized")
    fails(client.get(API, headers=headers), 401, "unauthorized")


def test_a_key_in_the_address_is_no_key(client: FlaskClient) -> None:
    for name in ("api_key", "key", "token", "X-API-Key", "apikey"):
        fails(client.get(f"{API}?{name}={API_KEY}"), 401, "unauthorized")


@pytest.mark.parametrize("headers", [KEY, {"Authorization": f"Bearer {API_KEY}"}])
def test_both_ways_to_send_the_key_work(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get(API, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "reboot"}, "unknown_action"),
        ({}, "missing_action"),
        ({"action": "send-test-message"}, "missing_field"),
        ({"action": "send-test-message", "phoneNumber": "201234567890"}, "missing_field"),
        ({"action": "send-test-message", "message": "x"}, "missing_field"),
        (SEND | {"phoneNumber": "12"}, "bad_phone_number"),
        (SEND | {"message": "x" * 5000}, "bad_message"),
        ({"action": "initialize", "session": "NO"}, "bad_session"),
        (["initialize"], "bad_json"),
    ],
)
def test_a_wrong_body_is_400(client: FlaskClient, body: Any, code: str) -> None:
    fails(post(client, body), 400, code)


@pytest.mark.parametrize("data", [b"", b"{", b"action=initialize", b"\xff"])
def test_no_json_is_400(client: FlaskClient, data: bytes) -> None:
    fails(post(client, data=data), 400, "bad_json")


def test_a_body_over_64_kb_is_413(client: FlaskClient) -> None:
    fails(post(client, SEND | {"message": "x" * 70_000}), 413, "too_large")


def test_another_method_is_405_and_another_address_404_in_the_old_clients_shape(client: FlaskClient) -> None:
    answer = client.put(API, headers=KEY)
    fails(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
    fails(client.get("/api/whatsapp/other", headers=KEY), 404, "not_found")


@pytest.mark.parametrize(
    "reported",
    [pairing(), status(state="starting"), status(state="reconnecting"), status(state="logged_out"), status(state="?")],
)
def test_sending_while_not_connected_is_409_at_once_without_asking_the_worker(
    gateway: Gateway, owner: Owner, client: FlaskClient, reported: SessionStatus
) -> None:
    shows(gateway, owner, reported)
    began = perf_counter()
    fails(post(client, SEND), 409, "not_connected")
    fails(post(client, {"action": "backup"}), 409, "not_connected")
    assert perf_counter() - began < 0.5
    assert owner.received == []


def test_sending_before_anything_was_started_is_409(client: FlaskClient) -> None:
    fails(post(client, SEND), 409, "not_connected")


def test_the_owners_own_refusal_is_passed_on(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, status())
    owner.answers[SendTest] = errors.NotConnected("the session has just gone offline", hint="wait")
    body = fails(post(client, SEND), 409, "not_connected")
    assert body["error"] == "the session has just gone offline"
    owner.answers[BackUpNow] = errors.Conflict("another backup is under way")
    fails(post(client, {"action": "backup"}), 409, "conflict")


def test_an_unexpected_error_of_the_owner_reveals_nothing_of_its_text(
    gateway: Gateway, owner: Owner, client: FlaskClient
) -> None:
    shows(gateway, owner, status())
    owner.answers[SendTest] = RuntimeError("201234567890 reported hello")
    answer = post(client, SEND)
    fails(answer, 500, "internal")
    assert "201234567890" not in answer.text


def test_a_refused_message_is_502_with_the_reason(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, status())
    owner.answers[SendTest] = SendResult(outcome="failed", ack=-1, error="the number has no WhatsApp")
    assert fails(post(client, SEND), 502, "send_failed")["hint"] == "the number has no WhatsApp"


@pytest.mark.parametrize("failure", sorted(SendFailure))
def test_only_whatsapps_own_refusal_is_called_one(
    gateway: Gateway, owner: Owner, client: FlaskClient, failure: SendFailure
) -> None:
    shows(gateway, owner, status())
    owner.answers[SendTest] = SendResult(outcome="failed", ack=-1, error="why it was not sent", failure=failure)
    answer = post(client, SEND)
    assert ("WhatsApp refused the message" in answer.text) == (failure is SendFailure.REFUSED)
    assert "why it was not sent" in answer.text
    code = "send_failed" if failure is SendFailure.REFUSED else "not_sent"
    own = {SendFailure.PAGE_ELSEWHERE, SendFailure.NOT_CONNECTED, SendFailure.NOT_ON_WHATSAPP}
    assert answer.get_json()["code"] == (failure.value if failure in own else code)
    for language in texts.LANGUAGES:
        assert f"error.{answer.get_json()['code']}" in texts.of(language)


def test_sending_while_the_page_is_elsewhere_names_that_cause(
    gateway: Gateway, owner: Owner, client: FlaskClient
) -> None:
    shows(gateway, owner, status(state="reconnecting", reason="page_elsewhere", detail="The page left WhatsApp Web."))
    body = fails(post(client, SEND), 409, "page_elsewhere")
    assert body["hint"] == "The page left WhatsApp Web."
    assert owner.received == []


@pytest.mark.parametrize("outcome", ["unknown", "intended", "absent", "?"])
def test_a_message_without_acknowledgement_is_504_and_says_not_to_send_again(
    gateway: Gateway, owner: Owner, client: FlaskClient, outcome: str
) -> None:
    shows(gateway, owner, status())
    owner.answers[SendTest] = SendResult(outcome=outcome)
    answer = post(client, SEND, headers=KEY | {"Idempotency-Key": "mine-1"})
    body = fails(answer, 504, "unknown_outcome")
    assert "may have been sent" in body["error"]
    assert "mine-1" in body["hint"]
    assert "do not send again" in body["hint"]


def test_a_bad_idempotency_key_is_400(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, status())
    answer = post(client, SEND, headers=KEY | {"Idempotency-Key": "a b"})
    fails(answer, 400, "bad_idempotency_key")
    assert owner.received == []


def test_a_session_that_nobody_made_is_404(client: FlaskClient) -> None:
    fails(client.get(f"{API}?session=nobody", headers=KEY), 404, "not_found")
    fails(client.get(f"{API}?session=NO..", headers=KEY), 400, "bad_session")


def test_no_code_to_scan_is_404(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, status())
    fails(client.get(f"{API}/qr.png", headers=KEY), 404, "no_qr")
    fails(client.get(f"{API}/qr.svg", headers=KEY), 404, "no_qr")


def test_the_code_is_an_image_while_pairing(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, pairing())
    png, svg = client.get(f"{API}/qr.png", headers=KEY), client.get(f"{API}/qr.svg", headers=KEY)
    assert (png.mimetype, png.data[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert svg.mimetype == "image/svg+xml"
    assert svg.data.startswith(b"<?xml")
    assert png.headers["Cache-Control"] == svg.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("kind", "body", "http_status", "code"),
    [
        (SendTest, SEND, 504, "unknown_outcome"),
        (RestoreNow, {"action": "restore"}, 504, "timed_out"),
        (ListBackups, {"action": "backups"}, 504, "timed_out"),
    ],
)
def test_an_owner_that_hangs_is_504_within_five_seconds(
    gateway: Gateway, owner: Owner, client: FlaskClient, kind: Any, body: Any, http_status: int, code: str
) -> None:
    shows(gateway, owner, status())
    owner.answers[kind] = hang
    fails(post(client, body), http_status, code)


def test_a_phone_code_that_does_not_come_is_504(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, pairing())
    owner.answers[PairPhone] = hang
    fails(post(client, {"action": "pair-phone", "phoneNumber": "201234567890"}), 504, "timed_out")


def test_a_backup_that_takes_long_is_accepted(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, status())
    owner.answers[BackUpNow] = hang
    answer = post(client, {"action": "backup"})
    assert (answer.status_code, answer.json["success"], answer.json["next"]) == (202, True, "backing_up")


def test_a_clear_that_takes_long_says_that_it_is_under_way(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, status())
    answer = post(client, {"action": "clear"})
    assert (answer.status_code, answer.json["success"], answer.json["next"]) == (200, True, "clearing")
    assert "under way" in answer.json["message"]
    again = post(client, {"action": "clear"})
    assert again.json["status"]["requested"] == answer.json["status"]["requested"], "it is asked for once"


def test_an_initialize_that_takes_long_says_what_comes_next(
    gateway: Gateway, owner: Owner, client: FlaskClient
) -> None:
    shows(gateway, owner, status(state="stopped"))
    began = perf_counter()
    answer = post(client, {"action": "initialize"})
    assert perf_counter() - began < 2.0
    assert (answer.status_code, answer.json["next"]) == (200, "starting")
    first = answer.json["status"]["requested"]
    assert post(client, {"action": "initialize"}).json["status"]["requested"] == first


def test_pairing_by_number_needs_a_session_that_waits(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    ask = {"action": "pair-phone", "phoneNumber": "201234567890"}
    shows(gateway, owner, status())
    fails(post(client, ask), 409, "already_linked")
    shows(gateway, owner, status(state="starting"))
    fails(post(client, ask), 409, "not_pairing")


def test_a_health_check_of_a_hanging_owner_gives_the_health_services_verdict(
    gateway: Gateway, owner: Owner, client: FlaskClient
) -> None:
    shows(gateway, owner, status())
    owner.answers[Check] = hang
    answer = post(client, {"action": "health-check"})
    assert answer.status_code == 200
    assert answer.json["health"]["overall"] == "warning"
    assert answer.json["check"]["workerAnswered"] is False


def test_a_health_check_without_the_health_service_is_never_healthy(
    gateway: Gateway, owner: Owner, client: FlaskClient
) -> None:
    shows(gateway, owner, status())
    owner.answers[Judge] = hang
    answer = post(client, {"action": "health-check"})
    assert answer.status_code == 200
    assert answer.json["health"]["overall"] == "warning"
    assert "health service" in answer.json["health"]["issues"][0]


def test_a_health_check_that_nobody_answers_is_an_error_within_five_seconds(
    gateway: Gateway, owner: Owner, client: FlaskClient
) -> None:
    shows(gateway, owner, status())
    owner.answers[Check] = hang
    owner.answers[Judge] = hang
    fails(post(client, {"action": "health-check"}), 504, "timed_out")


def test_without_a_backup_service_the_list_is_503(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    answer = post(client, {"action": "backups", "session": "nobody"})
    fails(answer, 503, "backup_service_gone")
    assert int(answer.headers["Retry-After"]) > 0


def test_test_messages_are_limited_and_say_when_to_come_back(
    open_gateway: Callable[..., Gateway], owner: Owner
) -> None:
    gateway = open_gateway(test_messages_per_minute=2)
    client = gateway.app.test_client()
    shows(gateway, owner, status())
    assert [post(client, SEND).status_code for _ in range(2)] == [200, 200]
    answer = post(client, SEND)
    fails(answer, 429, "rate_limited")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert post(client, {"action": "health-check"}).status_code == 200
    assert client.get(API, headers=KEY).status_code == 200


def test_actions_are_limited_but_reading_is_not(open_gateway: Callable[..., Gateway]) -> None:
    client = open_gateway(actions_per_minute=2).app.test_client()
    for _ in range(2):
        fails(post(client, {"action": "reboot"}), 400, "unknown_action")
    fails(post(client, {"action": "initialize"}), 429, "rate_limited")
    assert [client.get(API, headers=KEY).status_code for _ in range(5)] == [200] * 5


def test_another_session_is_made_and_read_by_its_id(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    answer = post(client, {"action": "initialize", "session": "shop-2"})
    assert (answer.json["session"], answer.json["status"]["wanted"]) == ("shop-2", "running")
    eventually_sync(lambda: client.get(f"{API}?session=shop-2", headers=KEY).status_code == 200)
    assert client.get(API, headers=KEY).json["status"]["wanted"] is None


def test_two_writers_at_once_both_count(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    """Somebody else writes between our read and our write."""
    shows(gateway, owner, status(state="stopped", request=1))
    real, interfered = gateway.bus.write, []

    def interfering(record: SessionRecord, revision: int, *, timeout: float) -> None:
        if not interfered:
            interfered.append(record)
            owner.put(SessionRecord(session=SESSION, desired="stopped", requested_at=NOON, request=5))
        real(record, revision, timeout=timeout)

    gateway.bus.write = interfering  # type: ignore[method-assign]
    post(client, {"action": "initialize"})
    wanted = owner.desired()
    assert wanted is not None
    assert (wanted.desired, wanted.request) == ("running", 6)


def test_a_verdict_reaches_the_status(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, status())
    owner.publish_report(report(overall="critical"))
    eventually_sync(lambda: client.get(API, headers=KEY).json["healthOverall"] == "critical")


def test_more_commands_at_once_than_threads_can_spare_are_503_at_once(
    gateway: Gateway, owner: Owner, client: FlaskClient
) -> None:
    shows(gateway, owner, status())
    owner.answers[RestoreNow] = hang
    with ThreadPoolExecutor(16) as pool:
        waiting = [
            pool.submit(gateway.app.test_client().post, API, json={"action": "restore"}, headers=KEY) for _ in range(16)
        ]
        eventually_sync(lambda: len(owner.received) == 16)
        began = perf_counter()
        answer = post(client, {"action": "restore"})
        fails(answer, 503, "busy")
        assert int(answer.headers["Retry-After"]) > 0
        assert perf_counter() - began < 0.5
        assert {each.result().status_code for each in waiting} == {504}
    assert post(client, {"action": "backup"}).status_code == 200
