"""Which lookups the page must answer for its state to be read and for messages to be sent. Pure.

A lookup is named `<tier>:<what>`. Reading survives the loss of one tier, and sending needs the whole first tier. So the
two are graded apart: a session that can read but not send stays connected.
"""

from __future__ import annotations

from collections.abc import Mapping

from .reading import SelfCheck

READ_NEEDS: tuple[tuple[str, ...], ...] = (
    ("wa-js:Socket", "module:WAWebSocketModel"),
    ("wa-js:Stream", "module:WAWebStreamModel"),
    ("wa-js:UserPrefs", "module:WAWebUserPrefsMeUser"),
)
"""For each need the lookups; any of them is enough."""

SEND_NEEDS: tuple[str, ...] = (
    "wa-js:chat.sendTextMessage",
    "wa-js:UserPrefs",
    "wa-js:Wid",
    "wa-js:WidFactory",
    "wa-js:MsgKey",
    "wa-js:MsgModel",
    "wa-js:MsgStore",
    "wa-js:ChatModel",
    "wa-js:ChatStore",
    "wa-js:functions.addAndSendMsgToChat",
    "wa-js:functions.findOrCreateLatestChat",
    "wa-js:functions.getEphemeralFields",
    "wa-js:functions.randomMessageId",
    "wa-js:functions.unixTime",
)

USEFUL: tuple[str, ...] = (
    "wa-js:Conn",
    "wa-js:Cmd",
    "wa-js:BackendEventBus",
    "wa-js:functions.isRegistered",
    "wa-js:functions.queryWidExists",
    "wa-js:functions.genLinkDeviceCodeForPhoneNumber",
    "module:WAWebConnModel",
    "module:WAWebCmd",
)
"""Reported when they are missing, without a grade of their own."""

LOOKUPS: tuple[str, ...] = tuple(
    dict.fromkeys([name for group in READ_NEEDS for name in group] + list(SEND_NEEDS) + list(USEFUL))
)


def grade(found: Mapping[str, bool], *, page_version: str = "", wa_js_version: str = "") -> SelfCheck:
    """`found` maps a lookup to whether the page answered it. A lookup without an entry counts as missing."""
    return SelfCheck(
        read_ok=all(any(found.get(name, False) for name in group) for group in READ_NEEDS),
        send_ok=all(found.get(name, False) for name in SEND_NEEDS),
        missing=tuple(name for name in LOOKUPS if not found.get(name, False)),
        page_version=page_version,
        wa_js_version=wa_js_version,
    )
