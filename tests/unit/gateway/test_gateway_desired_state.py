"""When a request becomes a new desired state, and what the answer says comes next."""

from __future__ import annotations

import pytest
from gateway_stage import NOON, SESSION, pairing, status

from gateway.domain import desired_state
from gateway.domain.observed import ObservedSession
from shared.contracts.sessions import SessionRecord, SessionStatus, State


def record(wanted: str, request: int) -> SessionRecord:
    return SessionRecord(session=SESSION, desired=wanted, requested_at=NOON, request=request)


def observed(reported: SessionStatus | None) -> ObservedSession:
    return ObservedSession(session=SESSION, status=reported)


def test_the_first_initialize_makes_the_record() -> None:
    made = desired_state.initialize(SESSION, None, observed(None), NOON)
    assert made == record("running", 1)


ON_ITS_WAY = ["connected", "starting", "restoring", "pairing", "syncing", "reconnecting"]
GIVEN_UP = ["stopped", "failed", "needs_attention", "logged_out", "conflict", "dreaming"]


def test_every_state_is_either_on_its_way_or_given_up() -> None:
    assert {State.read(text) for text in ON_ITS_WAY + GIVEN_UP} == set(State)
    assert len(ON_ITS_WAY + GIVEN_UP) == len(State)


@pytest.mark.parametrize("state", ON_ITS_WAY)
def test_initialize_leaves_a_session_alone_that_is_on_its_way(state: str) -> None:
    assert (
        desired_state.initialize(SESSION, record("running", 3), observed(status(state=state, request=3)), NOON) is None
    )


@pytest.mark.parametrize("state", GIVEN_UP)
def test_initialize_asks_anew_where_the_worker_has_given_up(state: str) -> None:
    made = desired_state.initialize(SESSION, record("running", 3), observed(status(state=state, request=3)), NOON)
    assert made == record("running", 4)


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_initialize_twice_before_the_worker_acts_is_one_request(state: str) -> None:
    assert (
        desired_state.initialize(SESSION, record("running", 4), observed(status(state=state, request=3)), NOON) is None
    )
    assert desired_state.initialize(SESSION, record("running", 4), observed(None), NOON) is None


def test_initialize_after_clear_wants_running_again() -> None:
    made = desired_state.initialize(SESSION, record("cleared", 4), observed(status(state="stopped", request=4)), NOON)
    assert made == record("running", 5)


def test_a_request_is_newer_than_all_that_was_carried_out_even_when_the_records_were_lost() -> None:
    made = desired_state.initialize(SESSION, None, observed(status(state="failed", request=9)), NOON)
    assert made is not None
    assert made.request == 10


def test_clear_is_asked_once_while_it_is_under_way_and_anew_afterwards() -> None:
    assert desired_state.clear(SESSION, record("running", 4), observed(status(request=4)), NOON) == record("cleared", 5)
    assert desired_state.clear(SESSION, record("cleared", 5), observed(status(request=4)), NOON) is None
    done = observed(status(state="stopped", request=5))
    assert desired_state.clear(SESSION, record("cleared", 5), done, NOON) == record("cleared", 6)


def test_clear_is_done_when_carried_out_and_stopped() -> None:
    assert desired_state.clear_done(observed(status(state="stopped", request=5)), 5)
    assert not desired_state.clear_done(observed(status(state="stopped", request=4)), 5)
    assert not desired_state.clear_done(observed(status(state="connected", request=5)), 5)


def test_initialize_is_done_at_a_connection_or_a_code() -> None:
    assert desired_state.initialize_done(observed(status()), 1)
    assert desired_state.initialize_done(observed(pairing(request=2)), 2)
    assert not desired_state.initialize_done(observed(pairing(request=1)), 2), "the code of an earlier request"
    assert not desired_state.initialize_done(observed(status(state="starting", request=2)), 2)


def test_what_comes_next_is_said_in_words() -> None:
    assert desired_state.after_initialize(observed(status()), 1).code == "connected"
    assert desired_state.after_initialize(observed(pairing()), 1).code == "pairing"
    assert desired_state.after_initialize(observed(None), 1).code == "starting"
    assert desired_state.after_initialize(observed(status(state="failed", request=1)), 2).code == "starting"
    stuck = desired_state.after_initialize(observed(status(state="needs_attention", detail="Look.", request=2)), 2)
    assert (stuck.code, stuck.message) == ("needs_attention", "Look.")


@pytest.mark.parametrize("state", list(State))
def test_every_state_leads_to_a_next_step(state: State) -> None:
    step = desired_state.after_initialize(observed(status(state=state, request=2, detail="Look.")), 2)
    assert step.code == ("starting" if state is State.STOPPED else state.value)
    assert step.message
