"""What the answers of the tiers mean together. Pure; knows WhatsApp Web's words for its states, nothing of a browser.

Two of these words mean different things at different times. UNPAIRED shows a QR on a fresh page and after a logout
alike; only the navigation to `post_logout` tells them apart. OPENING means "loading" before the stream was ever MAIN,
and "offline" after that.
"""

from __future__ import annotations

from dataclasses import fields, replace

from .reading import PageState, RawReading, Reading

BANNED_EVENTS = frozenset({"account_temporarily_banned"})

_ENDING = {
    "CONFLICT": PageState.CONFLICT,
    "DEPRECATED_VERSION": PageState.DEPRECATED,
    "TOS_BLOCK": PageState.TERMS_NOT_ACCEPTED,
    "SMB_TOS_BLOCK": PageState.TERMS_NOT_ACCEPTED,
    "PROXYBLOCK": PageState.NETWORK_REFUSED,
}
_STREAM_MAIN = {
    "CONNECTED": PageState.CONNECTED,
    "OPENING": PageState.OFFLINE,
    "TIMEOUT": PageState.OFFLINE,
    "UNLAUNCHED": PageState.OFFLINE,
    "PAIRING": PageState.OFFLINE,
}
_STREAM_SYNCING = {
    "CONNECTED": PageState.SYNCING,
    "PAIRING": PageState.PAIRING,
    "TIMEOUT": PageState.OFFLINE,
    "OPENING": PageState.LOADING,
    "UNLAUNCHED": PageState.LOADING,
}
_STREAM_QR = {
    "PAIRING": PageState.PAIRING,
    "CONNECTED": PageState.PAIRING,
    "OPENING": PageState.LOADING,
    "TIMEOUT": PageState.LOADING,
    "UNLAUNCHED": PageState.LOADING,
}
_SOCKET_ALONE = {
    "CONNECTED": PageState.SYNCING,
    "PAIRING": PageState.PAIRING,
    "TIMEOUT": PageState.OFFLINE,
    "OPENING": PageState.LOADING,
    "UNLAUNCHED": PageState.LOADING,
}
_BY_STREAM = {
    "MAIN": (_STREAM_MAIN, PageState.OFFLINE),
    "SYNCING": (_STREAM_SYNCING, PageState.LOADING),
    "QR": (_STREAM_QR, PageState.QR),
    "OFFLINE": ({}, PageState.OFFLINE),
}
_LOADING_INFO = {"PAIRING": PageState.PAIRING, "OFFLINE": PageState.OFFLINE}
_HIDDEN_BY_DIALOG = frozenset({PageState.UNKNOWN, PageState.LOADING, PageState.OFFLINE})
"""A dialog in front of any other state is only noted: a connected session behind the dialog works."""


def interpret(tiers: list[RawReading]) -> Reading:
    """One reading from the tiers' answers, the most trusted first. An empty list is UNKNOWN."""
    raw = merged(tiers)
    state = _state(raw)
    if raw.dialog and state in _HIDDEN_BY_DIALOG:
        state = PageState.DIALOG
    return Reading(state=state, raw=raw)


def merged(tiers: list[RawReading]) -> RawReading:
    """Field by field the answer of the first tier that has one, so that a name lost in one tier comes from the next.

    `tier` names the first tier that told the socket or the stream, else `dom` if the page itself showed something.
    """
    whole = RawReading()
    for tier in tiers:
        missing = {f.name: getattr(tier, f.name) for f in fields(tier) if getattr(whole, f.name) in ("", None, False)}
        whole = replace(whole, **missing)
    return replace(whole, tier=_answering_tier(tiers))


def _answering_tier(tiers: list[RawReading]) -> str:
    told = [tier.tier for tier in tiers if tier.socket or tier.stream_mode]
    shown = [tier.tier for tier in tiers if tier.qr or tier.chat_pane or tier.progress or tier.use_here or tier.dialog]
    return (told + shown + [""])[0]


def _state(raw: RawReading) -> PageState:
    for word in (raw.socket, raw.stream_mode):
        if word in _ENDING:
            return _ENDING[word]
    state = _conversation(raw) if raw.socket or raw.stream_mode else _shown(raw)
    if raw.backend_event in BANNED_EVENTS and state is not PageState.CONNECTED:
        return PageState.BANNED
    if raw.post_logout and state in (PageState.QR, PageState.IDLE, PageState.LOADING, PageState.UNKNOWN):
        return PageState.LOGGED_OUT
    return state


def _conversation(raw: RawReading) -> PageState:
    """The state by the page's own models."""
    if raw.socket == "UNPAIRED_IDLE":
        return PageState.IDLE
    if raw.socket == "UNPAIRED":
        return PageState.QR
    if raw.stream_mode == "QR" and raw.qr and raw.socket in ("PAIRING", "OPENING"):
        return PageState.QR
    table, otherwise = _BY_STREAM.get(raw.stream_mode, (_SOCKET_ALONE, PageState.UNKNOWN))
    state = table.get(raw.socket, otherwise)
    if state is PageState.CONNECTED and not raw.number:
        return PageState.SYNCING
    return _with_info(state, raw)


def _with_info(state: PageState, raw: RawReading) -> PageState:
    """The stream's info says what a page without a connection is waiting for; beside a QR it says nothing new."""
    if state is not PageState.LOADING or raw.stream_mode == "QR":
        return state
    return _LOADING_INFO.get(raw.stream_info, state)


def _shown(raw: RawReading) -> PageState:
    """The state by what can be seen, because no model answered."""
    if raw.use_here:
        return PageState.CONFLICT
    if raw.qr:
        return PageState.QR
    if raw.chat_pane:
        return PageState.CONNECTED
    if raw.progress:
        return PageState.LOADING
    return PageState.UNKNOWN
