"""Each word that WhatsApp Web has for its state, and what it means beside the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_worker.domain.page_state import interpret
from browser_worker.domain.reading import PageState, RawReading

ME = "201000000001"
SOCKETS = (
    "", "OPENING", "PAIRING", "UNPAIRED", "UNPAIRED_IDLE", "CONNECTED", "TIMEOUT", "CONFLICT", "UNLAUNCHED",
    "PROXYBLOCK", "TOS_BLOCK", "SMB_TOS_BLOCK", "DEPRECATED_VERSION", "A_WORD_OF_TOMORROW",
)  # fmt: skip
MODES = (
    "", "QR", "MAIN", "SYNCING", "OFFLINE", "CONFLICT", "PROXYBLOCK", "TOS_BLOCK", "SMB_TOS_BLOCK",
    "DEPRECATED_VERSION", "A_WORD_OF_TOMORROW",
)  # fmt: skip
INFOS = ("", "OFFLINE", "OPENING", "PAIRING", "SYNCING", "RESUMING", "CONNECTING", "NORMAL", "A_WORD_OF_TOMORROW")


def state(*tiers: RawReading) -> PageState:
    return interpret(list(tiers)).state


def models(
    socket: str = "", mode: str = "", info: str = "", tier: str = "wa-js", number: str = "", **rest: object
) -> RawReading:
    return RawReading(tier=tier, socket=socket, stream_mode=mode, stream_info=info, number=number, **rest)  # type: ignore[arg-type]


def dom(**rest: object) -> RawReading:
    return RawReading(tier="dom", **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("socket", "mode", "info", "expected"),
    [
        ("CONNECTED", "MAIN", "NORMAL", PageState.CONNECTED),
        ("CONNECTED", "MAIN", "RESUMING", PageState.CONNECTED),
        ("CONNECTED", "MAIN", "SYNCING", PageState.CONNECTED),
        ("CONNECTED", "SYNCING", "SYNCING", PageState.SYNCING),
        ("OPENING", "MAIN", "OPENING", PageState.OFFLINE),
        ("OPENING", "MAIN", "CONNECTING", PageState.OFFLINE),
        ("TIMEOUT", "MAIN", "OFFLINE", PageState.OFFLINE),
        ("UNLAUNCHED", "MAIN", "OFFLINE", PageState.OFFLINE),
        ("TIMEOUT", "OFFLINE", "OFFLINE", PageState.OFFLINE),
        ("OPENING", "OFFLINE", "OPENING", PageState.OFFLINE),
        ("UNLAUNCHED", "OFFLINE", "OFFLINE", PageState.OFFLINE),
        ("TIMEOUT", "SYNCING", "OFFLINE", PageState.OFFLINE),
        ("OPENING", "SYNCING", "OFFLINE", PageState.OFFLINE),
        ("OPENING", "SYNCING", "OPENING", PageState.LOADING),
        ("OPENING", "SYNCING", "CONNECTING", PageState.LOADING),
        ("UNLAUNCHED", "SYNCING", "OPENING", PageState.LOADING),
        ("OPENING", "SYNCING", "PAIRING", PageState.PAIRING),
        ("PAIRING", "SYNCING", "SYNCING", PageState.PAIRING),
        ("PAIRING", "QR", "SYNCING", PageState.PAIRING),
        ("CONNECTED", "QR", "SYNCING", PageState.PAIRING),
        ("OPENING", "QR", "OPENING", PageState.LOADING),
        ("TIMEOUT", "QR", "OFFLINE", PageState.LOADING),
        ("UNPAIRED", "QR", "PAIRING", PageState.QR),
        ("UNPAIRED_IDLE", "QR", "PAIRING", PageState.IDLE),
        ("CONFLICT", "CONFLICT", "OFFLINE", PageState.CONFLICT),
        ("CONFLICT", "MAIN", "NORMAL", PageState.CONFLICT),
        ("OPENING", "CONFLICT", "OFFLINE", PageState.CONFLICT),
        ("TOS_BLOCK", "TOS_BLOCK", "OFFLINE", PageState.TERMS_NOT_ACCEPTED),
        ("SMB_TOS_BLOCK", "SMB_TOS_BLOCK", "OFFLINE", PageState.TERMS_NOT_ACCEPTED),
        ("PROXYBLOCK", "PROXYBLOCK", "OFFLINE", PageState.NETWORK_REFUSED),
        ("OPENING", "PROXYBLOCK", "OFFLINE", PageState.NETWORK_REFUSED),
        ("DEPRECATED_VERSION", "DEPRECATED_VERSION", "OFFLINE", PageState.DEPRECATED),
        ("CONNECTED", "", "", PageState.SYNCING),
        ("TIMEOUT", "", "", PageState.OFFLINE),
        ("", "MAIN", "", PageState.OFFLINE),
        ("", "QR", "", PageState.QR),
        ("A_WORD_OF_TOMORROW", "", "", PageState.UNKNOWN),
    ],
)  # fmt: skip
def test_the_words_of_the_models_mean(socket: str, mode: str, info: str, expected: PageState) -> None:
    assert state(models(socket, mode, info, number=ME)) is expected


def test_connected_needs_the_own_number() -> None:
    assert state(models("CONNECTED", "MAIN", "NORMAL")) is PageState.SYNCING


def test_the_own_number_may_come_from_another_tier() -> None:
    without = models("CONNECTED", "MAIN", "NORMAL")
    assert state(without, models(tier="modules", number=ME)) is PageState.CONNECTED


def test_a_reading_of_nothing_is_unknown_and_never_logged_out() -> None:
    assert state() is PageState.UNKNOWN
    assert state(models(), models(tier="modules"), dom()) is PageState.UNKNOWN


def test_a_tier_that_lost_its_stream_is_completed_by_the_next() -> None:
    reading = interpret([models("CONNECTED", number=ME), models(mode="MAIN", info="NORMAL", tier="modules"), dom()])
    assert reading.state is PageState.CONNECTED
    assert reading.raw.tier == "wa-js"


@pytest.mark.parametrize(
    ("tiers", "teller"),
    [
        ([models("CONNECTED", "MAIN", number=ME), models("CONNECTED", "MAIN", tier="modules"), dom()], "wa-js"),
        ([models(), models("CONNECTED", "MAIN", tier="modules", number=ME), dom(chat_pane=True)], "modules"),
        ([models(), models(tier="modules"), dom(chat_pane=True)], "dom"),
        ([models(), models(tier="modules"), dom()], ""),
    ],
)
def test_the_tier_that_told_is_named(tiers: list[RawReading], teller: str) -> None:
    assert interpret(tiers).raw.tier == teller


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"qr": "2@a,b,c,d,1"}, PageState.QR),
        ({"qr": "2@a,b,c,d,1", "post_logout": True}, PageState.LOGGED_OUT),
        ({"chat_pane": True}, PageState.CONNECTED),
        ({"progress": True}, PageState.LOADING),
        ({"use_here": True}, PageState.CONFLICT),
        ({"dialog": "modal"}, PageState.DIALOG),
        ({"dialog": "modal", "progress": True}, PageState.DIALOG),
        ({"post_logout": True}, PageState.LOGGED_OUT),
    ],
)
def test_the_page_itself_tells_when_no_model_answers(seen: dict[str, object], expected: PageState) -> None:
    assert state(models(), models(tier="modules"), dom(**seen)) is expected


@pytest.mark.parametrize("socket", ["UNPAIRED", "UNPAIRED_IDLE", "OPENING"])
def test_a_qr_page_after_a_logout_is_logged_out(socket: str) -> None:
    assert state(models(socket, "QR", "PAIRING"), dom(post_logout=True)) is PageState.LOGGED_OUT


@pytest.mark.parametrize(
    ("socket", "mode", "expected"),
    [("PAIRING", "QR", PageState.PAIRING), ("CONNECTED", "MAIN", PageState.CONNECTED)],
)
def test_linking_again_on_the_page_of_the_logout_is_no_logout(socket: str, mode: str, expected: PageState) -> None:
    assert state(models(socket, mode, number=ME), dom(post_logout=True)) is expected


def test_a_qr_that_is_shown_counts_while_the_socket_still_opens() -> None:
    assert state(models("OPENING", "QR", "OPENING"), dom(qr="2@a,b,c,d,1")) is PageState.QR


def test_a_ban_is_told_by_its_event() -> None:
    banned = dom(backend_event="account_temporarily_banned")
    assert state(models("TIMEOUT", "OFFLINE", "OFFLINE"), banned) is PageState.BANNED
    assert state(models("CONNECTED", "MAIN", "NORMAL", number=ME), banned) is PageState.CONNECTED


def test_another_backend_event_changes_nothing() -> None:
    event = dom(backend_event="storage_initialization_error")
    assert state(models("OPENING", "SYNCING", "OPENING"), event) is PageState.LOADING


def test_an_unknown_dialog_before_a_working_session_is_only_noted() -> None:
    reading = interpret([models("CONNECTED", "MAIN", "NORMAL", number=ME), dom(dialog="modal")])
    assert reading.state is PageState.CONNECTED
    assert reading.raw.dialog == "modal"


@given(
    socket=st.sampled_from(SOCKETS), mode=st.sampled_from(MODES), info=st.sampled_from(INFOS),
    number=st.sampled_from(["", ME]), qr=st.sampled_from(["", "2@a,b,c,d,1"]), chat_pane=st.booleans(),
    post_logout=st.booleans(), dialog=st.sampled_from(["", "modal"]),
)  # fmt: skip
def test_whatever_the_page_says_the_dangerous_states_need_their_evidence(
    socket: str, mode: str, info: str, number: str, qr: str, chat_pane: bool, post_logout: bool, dialog: str
) -> None:
    found = state(
        models(socket, mode, info, number=number),
        dom(qr=qr, chat_pane=chat_pane, post_logout=post_logout, dialog=dialog),
    )
    if found is PageState.LOGGED_OUT:
        assert post_logout
    if found is PageState.CONNECTED:
        assert (socket, mode, bool(number)) == ("CONNECTED", "MAIN", True) or (not socket and not mode and chat_pane)
    if "CONFLICT" in (socket, mode):
        assert found is PageState.CONFLICT or socket in (
            "TOS_BLOCK",
            "SMB_TOS_BLOCK",
            "PROXYBLOCK",
            "DEPRECATED_VERSION",
        )
