"""A look at the page is a moment; what is done about it must have lasted."""

from __future__ import annotations

import pytest

from browser_worker.domain.debounce import Debounce, PageWatch, event_of, look
from browser_worker.domain.events import Event
from browser_worker.domain.reading import PageState
from browser_worker.domain.session import Session
from shared.contracts.sessions import State

DEBOUNCE = Debounce(offline=5, lost_login=3, silent=40)


def event_after(page: PageState, lasted: float, session: Session) -> Event | None:
    return event_of(PageWatch(page, 100.0), session, 100.0 + lasted, DEBOUNCE)


def test_a_lost_connection_counts_after_its_grace() -> None:
    connected = Session(state=State.CONNECTED, linked=True)
    assert event_after(PageState.OFFLINE, 4.9, connected) is None
    assert event_after(PageState.OFFLINE, 5.0, connected) is Event.OFFLINE


def test_a_qr_while_a_login_is_known_must_last_and_a_qr_of_a_new_session_is_shown_at_once() -> None:
    assert event_after(PageState.QR, 1, Session(state=State.STARTING, linked=True)) is None
    assert event_after(PageState.QR, 3, Session(state=State.STARTING, linked=True)) is Event.QR
    assert event_after(PageState.QR, 0, Session(state=State.STARTING, fresh=True)) is Event.QR


def test_a_failed_read_is_silence_and_never_a_logout() -> None:
    connected = Session(state=State.CONNECTED, linked=True)
    assert event_after(PageState.UNKNOWN, 39, connected) is None
    assert event_after(PageState.UNKNOWN, 40, connected) is Event.PAGE_SILENT


def test_loading_continues_the_silence_of_unknown() -> None:
    watch = look(PageWatch(PageState.UNKNOWN, 1.0), PageState.LOADING, 30.0)
    assert watch.since == 1.0
    assert look(watch, PageState.CONNECTED, 31.0) == PageWatch(PageState.CONNECTED, 31.0)


def test_a_session_that_is_being_reconnected_is_not_called_silent_again() -> None:
    assert event_after(PageState.UNKNOWN, 100, Session(state=State.RECONNECTING, linked=True)) is None


@pytest.mark.parametrize("state", [State.STARTING, State.PAIRING, State.SYNCING, State.CONNECTED, State.RECONNECTING])
def test_a_page_that_shows_another_site_is_answered_at_once(state: State) -> None:
    assert event_after(PageState.ELSEWHERE, 0, Session(state=state, linked=True)) is Event.PAGE_ELSEWHERE


@pytest.mark.parametrize("state", [State.PAIRING, State.SYNCING, State.CONNECTED, State.CONFLICT])
def test_an_empty_page_where_the_site_was_shown_is_answered_at_once(state: State) -> None:
    assert event_after(PageState.BLANK, 0, Session(state=state, linked=True)) is Event.PAGE_ELSEWHERE


def test_an_empty_page_that_is_still_to_be_filled_is_silent() -> None:
    starting = Session(state=State.STARTING, linked=True)
    assert event_after(PageState.BLANK, 39, starting) is None
    assert event_after(PageState.BLANK, 40, starting) is Event.PAGE_SILENT
    assert event_after(PageState.BLANK, 100, Session(state=State.RECONNECTING, linked=True)) is None


def test_an_empty_page_continues_the_silence_and_is_remembered_as_empty() -> None:
    watch = look(PageWatch(PageState.UNKNOWN, 1.0), PageState.BLANK, 30.0)
    assert watch == PageWatch(PageState.BLANK, 1.0)
