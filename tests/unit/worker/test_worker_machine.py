"""The session's machine keeps its promises whatever happens in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_worker.domain.details import DETAILS
from browser_worker.domain.events import PAGE_EVENTS, REPAIRS, Effect, Event
from browser_worker.domain.machine import TABLE, advance
from browser_worker.domain.reading import PageState
from browser_worker.domain.session import DurableRecord, Fact, Fault, Session, note, session_of
from shared.contracts.sessions import Reason, State

LIVE = [state for state in State if state not in (State.UNKNOWN, State.STOPPED)]
events = st.lists(st.sampled_from(list(Event)), max_size=60)


def run(*names: Event, session: Session | None = None) -> tuple[Session, list[Effect]]:
    current, effects = session or Session(), []
    for name in names:
        step = advance(current, name)
        current = step.session
        effects += step.effects
    return current, effects


def test_a_first_start_without_any_copy_ends_at_the_qr() -> None:
    session, effects = run(Event.START, Event.PROFILE_NONE, Event.NOTHING_TO_RESTORE, Event.QR)
    assert session.state is State.PAIRING
    assert effects == [Effect.FIND_PROFILE, Effect.RESTORE, Effect.LAUNCH]


def test_a_link_is_sealed_before_the_session_counts_as_connected() -> None:
    started, _ = run(Event.START, Event.PROFILE_NONE, Event.NOTHING_TO_RESTORE, Event.QR)
    sealing, effects = run(Event.PAIRING, Event.CONNECTED, session=started)
    assert (sealing.state, sealing.reason, effects) == (State.SYNCING, "sealing", [Effect.SEAL])
    connected, effects = run(Event.SEALED, Event.CONNECTED, session=sealing)
    assert (connected.state, effects) == (State.CONNECTED, [Effect.CONFIRM_CONNECTED])
    assert connected.linked


def test_a_seal_that_was_interrupted_is_done_again() -> None:
    sealing, _ = run(Event.START, Event.PROFILE_NONE, Event.NOTHING_TO_RESTORE, Event.QR, Event.CONNECTED)
    again, effects = run(Event.BROWSER_GONE, Event.CONNECTED, session=sealing)
    assert again.reason == "sealing"
    assert effects == [Effect.CLIMB, Effect.SEAL]


def test_a_qr_where_a_login_is_known_is_answered_with_a_restore_and_never_shown() -> None:
    session, effects = run(Event.START, Event.PROFILE_GOOD, Event.QR, session=Session(linked=True))
    assert session.state is State.RESTORING
    assert Effect.RESTORE in effects


def test_an_unreachable_store_without_a_local_copy_waits_and_shows_no_qr() -> None:
    session, effects = run(Event.START, Event.PROFILE_NONE, Event.STORE_UNKNOWN)
    assert (session.state, session.reason) == (State.RESTORING, "store_unreachable")
    assert effects[-2:] == [Effect.PAUSE, Effect.RESTORE]
    assert Effect.LAUNCH not in effects


def test_a_login_revoked_by_the_phone_is_never_restored() -> None:
    session, _ = run(Event.START, Event.PROFILE_GOOD, Event.CONNECTED, Event.LOGGED_OUT)
    after, effects = run(Event.QR, Event.QR_IDLE, Event.BROWSER_GONE, session=session)
    assert not after.linked
    assert Effect.RESTORE not in effects


@pytest.mark.parametrize("fault", [Event.BANNED, Event.TERMS_NOT_ACCEPTED, Event.NETWORK_REFUSED])
def test_a_ban_is_not_answered_by_reconnecting(fault: Event) -> None:
    session, effects = run(Event.START, Event.PROFILE_GOOD, Event.CONNECTED, fault)
    assert session.state is State.NEEDS_ATTENTION
    assert effects[-1] is Effect.ALERT


@pytest.mark.parametrize("state", [state for state in LIVE if state is not State.FAILED])
def test_losing_the_lease_kills_the_browser_from_every_state(state: State) -> None:
    step = advance(Session(state=state), Event.LEASE_LOST)
    assert step.session.state is State.STOPPED
    assert step.effects == (Effect.KILL,)


@given(events, st.booleans())
def test_nothing_but_clear_ever_wipes(names: list[Event], linked: bool) -> None:
    session = Session(linked=linked)
    for name in names:
        step = advance(session, name)
        assert (Effect.WIPE in step.effects) <= (name is Event.CLEAR)
        session = step.session


@given(events)
def test_stop_and_clear_always_end_in_stopped(names: list[Event]) -> None:
    session, _ = run(*names)
    for final in (Event.STOP, Event.CLEAR, Event.LEASE_LOST):
        assert advance(session, final).session.state is State.STOPPED


@given(events)
def test_a_session_whose_login_is_known_never_reaches_pairing_without_losing_it_first(names: list[Event]) -> None:
    session = Session(linked=True)
    for name in names:
        session = advance(session, name).session
        assert not (session.state is State.PAIRING and session.linked)


def test_every_effect_of_the_table_is_reached_by_some_row_and_every_row_leads_to_a_known_state() -> None:
    effects = {effect for rule in TABLE.values() for effect in rule.effects}
    assert effects == set(Effect)
    assert all(rule.state is None or rule.state in State for rule in TABLE.values())


def test_every_reason_has_a_sentence_for_people() -> None:
    reasons = {rule.reason for rule in TABLE.values() if rule.reason}
    assert reasons <= set(DETAILS)


@pytest.mark.parametrize("state", list(State))
def test_no_pair_of_state_and_event_starts_a_second_browser(state: State) -> None:
    for event in Event:
        effects = advance(Session(state=state, launched=True), event).effects
        starts = [index for index, effect in enumerate(effects) if effect in (Effect.LAUNCH, Effect.RESTORE)]
        assert not starts or Effect.CLOSE in effects[: starts[0]], event


def test_every_restore_has_a_cause() -> None:
    entering = [rule for (state, _), rule in TABLE.items() if rule.state is State.RESTORING is not state]
    assert entering
    assert all(rule.restore_cause is not None for rule in entering)


@pytest.mark.parametrize("event", [Event.PROFILE_NONE, Event.PROFILE_BAD])
def test_a_revoked_login_without_a_usable_profile_is_linked_again_and_not_restored(event: Event) -> None:
    revoked = session_of(DurableRecord(epoch=1, revoked=True), 2)
    session, effects = run(Event.START, event, Event.QR, session=revoked)
    assert effects == [Effect.FIND_PROFILE, Effect.SET_ASIDE, Effect.LAUNCH]
    assert session.state is State.PAIRING


def test_a_login_that_was_revoked_here_may_have_been_linked_again_elsewhere() -> None:
    revoked = session_of(DurableRecord(epoch=1, revoked=True), 3)
    session, effects = run(Event.START, Event.PROFILE_NONE, session=revoked)
    assert (session.state, effects[-1]) == (State.RESTORING, Effect.RESTORE)


@pytest.mark.parametrize("fault", [Event.BANNED, Event.TERMS_NOT_ACCEPTED, Event.NETWORK_REFUSED])
@pytest.mark.parametrize("repair", sorted(REPAIRS))
def test_a_refusal_is_left_alone_whatever_the_browser_does(fault: Event, repair: Event) -> None:
    refused, _ = run(Event.START, Event.PROFILE_GOOD, Event.CONNECTED, fault)
    assert run(repair, session=refused) == (refused, [])


def test_everything_that_the_page_can_show_is_an_event_or_silence() -> None:
    assert set(PAGE_EVENTS) == set(PageState) - {PageState.UNKNOWN, PageState.LOADING}


@pytest.mark.parametrize("fact", list(Fact))
def test_a_fact_moves_nothing(fact: Fact) -> None:
    session = Session(state=State.CONNECTED, reason=Reason.CONNECTED)
    noted = note(session, fact)
    assert (noted.state, noted.reason, noted.fault) == (session.state, session.reason, session.fault)


@pytest.mark.parametrize("state", [State.STARTING, State.PAIRING, State.SYNCING, State.CONNECTED, State.CONFLICT])
def test_a_page_that_is_elsewhere_is_loaded_again_and_called_so(state: State) -> None:
    step = advance(Session(state=state, linked=True, launched=True), Event.PAGE_ELSEWHERE)
    assert (step.session.state, step.session.reason) == (State.RECONNECTING, Reason.PAGE_ELSEWHERE)
    assert (step.effects, step.session.fault) == ((Effect.CLIMB,), Fault.PAGE)
    assert step.session.linked


def test_a_session_that_nothing_is_tried_for_is_left_alone_when_its_page_goes_elsewhere() -> None:
    for state in (State.STOPPED, State.LOGGED_OUT, State.RESTORING, State.NEEDS_ATTENTION):
        assert advance(Session(state=state), Event.PAGE_ELSEWHERE).effects == ()
