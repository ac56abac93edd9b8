"""An Idempotency-Key with every action: done once, answered the same, refused for anything else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient
from gateway_stage import API, KEY, SESSION, Owner, pairing, status

from gateway.bootstrap import Gateway
from gateway.handlers.legacy.actions import Action
from shared.testing import eventually_sync

NUMBER, OTHER_NUMBER = "201234567890", "201234567891"
BODIES: dict[Action, tuple[dict[str, Any], dict[str, Any]]] = {
    Action.INITIALIZE: ({}, {"session": "shop-2"}),
    Action.CLEAR: ({}, {"session": "shop-2"}),
    Action.HEALTH_CHECK: ({}, {"session": "shop-2"}),
    Action.SEND_TEST_MESSAGE: (
        {"phoneNumber": NUMBER, "message": "hello"},
        {"phoneNumber": NUMBER, "message": "hello!"},
    ),
    Action.PAIR_PHONE: ({"phoneNumber": NUMBER}, {"phoneNumber": OTHER_NUMBER}),
    Action.BACK_UP: ({}, {"session": "shop-2"}),
    Action.RESTORE: ({"backupId": "7-41-20261122T115800Z"}, {"backupId": ""}),
    Action.LIST_BACKUPS: ({}, {"session": "shop-2"}),
}
"""The fields of a request, and those of another request of the same action."""


def shows(gateway: Gateway, owner: Owner, action: Action) -> None:
    reported = pairing() if action is Action.PAIR_PHONE else status()
    owner.publish_status(reported)
    eventually_sync(lambda: gateway.view.session(SESSION).status == reported and gateway.view.session(SESSION).owner)


def post(client: FlaskClient, action: Action, fields: dict[str, Any], key: str) -> Any:
    return client.post(API, json={"action": action, **fields}, headers=KEY | {"Idempotency-Key": key})


def test_the_table_holds_every_action() -> None:
    assert set(BODIES) == set(Action)


@pytest.mark.parametrize("action", Action)
def test_the_same_request_is_answered_the_same_and_another_one_is_refused(
    gateway: Gateway, owner: Owner, client: FlaskClient, action: Action
) -> None:
    shows(gateway, owner, action)
    same, other = BODIES[action]
    first = post(client, action, same, "key-1")
    assert first.status_code < 300, first.text
    asked, wanted = len(owner.received), owner.desired()
    again = post(client, action, same, "key-1")
    assert (again.status_code, again.json) == (first.status_code, first.json)
    if action is not Action.SEND_TEST_MESSAGE:  # the worker's outbox answers it, and knows the repetition
        assert again.headers["Idempotent-Replayed"] == "true"
        assert len(owner.received) == asked
    assert owner.desired() == wanted
    asked = len(owner.received)
    for name, fields in (
        (action, other),
        (Action.LIST_BACKUPS if action is Action.INITIALIZE else Action.INITIALIZE, {}),
    ):
        refused = post(client, name, fields, "key-1")
        assert (refused.status_code, refused.json["code"]) == (422, "idempotency_key_reused")
        assert refused.json["success"] is False
        assert "new key" in refused.json["hint"]
    assert len(owner.received) == asked
    assert owner.desired() == wanted
    assert post(client, action, same, "key-2").headers.get("Idempotent-Replayed") is None


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("key", ["a b", "x" * 65, "é", "a\tb", "k;v"])
def test_a_key_of_wrong_form_does_nothing(
    gateway: Gateway, owner: Owner, client: FlaskClient, action: Action, key: str
) -> None:
    refused = post(client, action, BODIES[action][0], key)
    assert (refused.status_code, refused.json["code"]) == (400, "bad_idempotency_key")
    assert owner.received == []


def test_what_means_the_same_is_the_same_request(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, Action.BACK_UP)
    body = b'{ "action" : "backup", "session": null }'
    headers = KEY | {"Idempotency-Key": "k"}
    first = client.post(API, data=body, headers=headers)
    again = client.post(API, json={"session": SESSION, "action": "backup"}, headers=headers)
    assert (again.status_code, again.json) == (200, first.json)
    assert len(owner.received) == 1


def test_many_at_once_make_one_backup(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, Action.BACK_UP)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(post, gateway.app.test_client(), Action.BACK_UP, {}, "one-backup") for _ in range(8)]
        answers = [each.result() for each in asked]
    assert {each.status_code for each in answers} == {200}
    assert len({each.text for each in answers}) == 1
    assert len(owner.received) == 1


def test_an_answer_of_one_login_is_the_answer_of_the_owner(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    """A login is the same principal as the key that it was made with: who logs in again and asks again is not served
    twice."""
    shows(gateway, owner, Action.BACK_UP)
    token = client.post("/persistent-session/login", json={"key": KEY["X-API-Key"]}).json["csrfToken"]
    by_page = client.post(
        API,
        json={"action": "backup"},
        headers={"X-CSRF-Token": token, "Origin": "http://localhost", "Idempotency-Key": "k"},
    )
    assert by_page.status_code == 200
    assert post(client, Action.BACK_UP, {}, "k").headers["Idempotent-Replayed"] == "true"
    assert len(owner.received) == 1


def test_without_a_key_everything_is_done(gateway: Gateway, owner: Owner, client: FlaskClient) -> None:
    shows(gateway, owner, Action.BACK_UP)
    for _ in range(3):
        assert client.post(API, json={"action": "backup"}, headers=KEY).status_code == 200
    assert len(owner.received) == 3
