"""A look at the page is a moment; what is done about it must have lasted."""

from __future__ import annotations

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
