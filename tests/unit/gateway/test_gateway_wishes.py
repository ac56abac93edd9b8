"""When a request becomes a new wish, and what the answer says comes next."""

from __future__ import annotations

import pytest
from gateway_stage import NOON, SESSION, pairing, status

from gateway.domain import wishes
from gateway.domain.observed import Facts
from shared.contracts.sessions import SessionRecord, SessionStatus


def record(wanted: str, request: int) -> SessionRecord:
    return SessionRecord(session=SESSION, desired=wanted, requested_at=NOON, request=request)


def facts(said: SessionStatus | None) -> Facts:
    return Facts(session=SESSION, status=said)


def test_the_first_initialize_makes_the_record() -> None:
    made = wishes.initialize(SESSION, None, facts(None), NOON)
    assert made == record("running", 1)


@pytest.mark.parametrize("state", ["connected", "starting", "restoring", "pairing", "syncing", "reconnecting"])
def test_initialize_leaves_a_session_alone_that_is_on_its_way(state: str) -> None:
    assert wishes.initialize(SESSION, record("running", 3), facts(status(state=state, request=3)), NOON) is None


@pytest.mark.parametrize("state", ["stopped", "failed", "needs_attention", "logged_out", "conflict", "dreaming"])
def test_initialize_asks_anew_where_the_worker_has_given_up(state: str) -> None:
    made = wishes.initialize(SESSION, record("running", 3), facts(status(state=state, request=3)), NOON)
    assert made == record("running", 4)


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_initialize_twice_before_the_worker_acts_is_one_request(state: str) -> None:
    assert wishes.initialize(SESSION, record("running", 4), facts(status(state=state, request=3)), NOON) is None
    assert wishes.initialize(SESSION, record("running", 4), facts(None), NOON) is None


def test_initialize_after_clear_wants_running_again() -> None:
    made = wishes.initialize(SESSION, record("cleared", 4), facts(status(state="stopped", request=4)), NOON)
    assert made == record("running", 5)


def test_a_request_is_newer_than_all_that_was_carried_out_even_when_the_records_were_lost() -> None:
    made = wishes.initialize(SESSION, None, facts(status(state="failed", request=9)), NOON)
    assert made is not None
    assert made.request == 10


def test_clear_is_asked_once_while_it_is_under_way_and_anew_afterwards() -> None:
    assert wishes.clear(SESSION, record("running", 4), facts(status(request=4)), NOON) == record("cleared", 5)
    assert wishes.clear(SESSION, record("cleared", 5), facts(status(request=4)), NOON) is None
    done = facts(status(state="stopped", request=5))
    assert wishes.clear(SESSION, record("cleared", 5), done, NOON) == record("cleared", 6)


def test_clear_is_settled_when_carried_out_and_stopped() -> None:
    assert wishes.clear_settled(facts(status(state="stopped", request=5)), 5)
    assert not wishes.clear_settled(facts(status(state="stopped", request=4)), 5)
    assert not wishes.clear_settled(facts(status(state="connected", request=5)), 5)


def test_initialize_is_settled_by_a_connection_or_a_code() -> None:
    assert wishes.initialize_settled(facts(status()), 1)
    assert wishes.initialize_settled(facts(pairing(request=2)), 2)
    assert not wishes.initialize_settled(facts(pairing(request=1)), 2), "the code of an earlier request"
    assert not wishes.initialize_settled(facts(status(state="starting", request=2)), 2)


def test_what_comes_next_is_said_in_words() -> None:
    assert wishes.after_initialize(facts(status()), 1).code == "connected"
    assert wishes.after_initialize(facts(pairing()), 1).code == "pairing"
    assert wishes.after_initialize(facts(None), 1).code == "starting"
    assert wishes.after_initialize(facts(status(state="failed", request=1)), 2).code == "starting"
    stuck = wishes.after_initialize(facts(status(state="needs_attention", detail="Look.", request=2)), 2)
    assert (stuck.code, stuck.message) == ("needs_attention", "Look.")
