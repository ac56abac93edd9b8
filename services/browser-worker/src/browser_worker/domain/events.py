"""The words of the session's machine: what can happen to a session, and what the runner does about it."""

from __future__ import annotations

from enum import StrEnum

from .reading import PageState


class Event(StrEnum):
    """What can happen to a session."""

    START = "start"
    """The desired state is *running*, and the lease is ours."""
    REINITIALIZE = "reinitialize"
    """`initialize` was requested once more."""
    STOP = "stop"
    CLEAR = "clear"
    LEASE_LOST = "lease_lost"

    PROFILE_GOOD = "profile_good"
    PROFILE_NONE = "profile_none"
    PROFILE_BAD = "profile_bad"
    PROFILE_REVOKED = "profile_revoked"
    """There is no usable profile, and the phone has revoked the login that every copy holds."""
    PROFILE_STALE = "profile_stale"
    """Another worker owned the session since this profile was used, and has backed it up."""
    PROFILE_UNREADABLE = "profile_unreadable"
    """The disk gave an error: nothing is known of the profile."""
    RESTORE_ASKED = "restore_asked"
    RESTORED = "restored"
    NOTHING_TO_RESTORE = "nothing_to_restore"
    STORE_UNKNOWN = "store_unknown"
    """The object store cannot be asked: whether a backup exists is unknown."""
    TOMBSTONE_UNVERIFIED = "tombstone_unverified"
    """Whether the session was cleared is unknown: only a person can name a backup that may be restored."""
    RESTORE_FAILED = "restore_failed"
    """This machine could not put a copy in place (a full disk); the copies may be good."""
    KEEP_PROFILE = "keep_profile"
    """No copy could be put in place, and the present profile is sound."""
    COPIES_USELESS = "copies_useless"
    """Several good copies were put in place, and none of them is logged in any more."""
    BROWSER_TOO_OLD = "browser_too_old"
    RESUME = "resume"
    """The lease is sure again after a doubt that interrupted work."""

    LAUNCH_FAILED = "launch_failed"
    BROWSER_GONE = "browser_gone"
    BROWSER_HANGS = "browser_hangs"
    PAGE_SILENT = "page_silent"
    """Nothing could be read from the page for longer than the debounce allows."""
    PAGE_ELSEWHERE = "page_elsewhere"
    """The page shows something other than WhatsApp Web."""
    STILL_DOWN = "still_down"
    """The rung was climbed and did not help."""
    LADDER_ENDED = "ladder_ended"

    QR = "qr"
    LOGIN_LOST = "login_lost"
    """A QR where a login is known to exist: the profile has lost the login."""
    QR_IDLE = "qr_idle"
    PAIRING = "pairing"
    SYNCING = "syncing"
    CONNECTED = "connected"
    LINKED = "linked"
    """Connected by a link that is not sealed yet."""
    SEALED = "sealed"
    OFFLINE = "offline"
    CONFLICT = "conflict"
    LOGGED_OUT = "logged_out"
    BANNED = "banned"
    TERMS_NOT_ACCEPTED = "terms_not_accepted"
    NETWORK_REFUSED = "network_refused"
    DEPRECATED = "deprecated"
    DIALOG = "dialog"


FINAL = frozenset({Event.STOP, Event.CLEAR, Event.LEASE_LOST})
"""Events after which this worker does not run the session any more."""

REPAIRS = frozenset(
    {
        Event.LAUNCH_FAILED,
        Event.BROWSER_GONE,
        Event.BROWSER_HANGS,
        Event.PAGE_SILENT,
        Event.PAGE_ELSEWHERE,
        Event.STILL_DOWN,
        Event.RESUME,
    }
)
"""Events that would be answered by reconnecting."""

PAGE_EVENTS: dict[PageState, Event] = {
    PageState.QR: Event.QR,
    PageState.IDLE: Event.QR_IDLE,
    PageState.PAIRING: Event.PAIRING,
    PageState.SYNCING: Event.SYNCING,
    PageState.CONNECTED: Event.CONNECTED,
    PageState.OFFLINE: Event.OFFLINE,
    PageState.CONFLICT: Event.CONFLICT,
    PageState.LOGGED_OUT: Event.LOGGED_OUT,
    PageState.BANNED: Event.BANNED,
    PageState.TERMS_NOT_ACCEPTED: Event.TERMS_NOT_ACCEPTED,
    PageState.NETWORK_REFUSED: Event.NETWORK_REFUSED,
    PageState.DEPRECATED: Event.DEPRECATED,
    PageState.DIALOG: Event.DIALOG,
    PageState.ELSEWHERE: Event.PAGE_ELSEWHERE,
    PageState.BLANK: Event.PAGE_ELSEWHERE,
}
"""What the page shows as an event; LOADING and UNKNOWN show nothing."""


class Effect(StrEnum):
    """What the runner does, in the order given."""

    FIND_PROFILE = "find_profile"
    LAUNCH = "launch"
    RESTORE = "restore"
    SET_ASIDE = "set_aside"
    """Move the profile aside, so that the browser starts without one."""
    PAUSE = "pause"
    """Wait a while, longer each time."""
    SEAL = "seal"
    CONFIRM_CONNECTED = "confirm_connected"
    """Connected: write the local-storage export, drop what a restore set aside, wait until messages can be sent."""
    REFRESH_QR = "refresh_qr"
    CLIMB = "climb"
    """Wait, then take the next rung of the ladder."""
    RETRY_SLOWLY = "retry_slowly"
    TAKE_OVER = "take_over"
    CONSIDER_TAKE_OVER = "consider_take_over"
    FORGET_ACCOUNT = "forget_account"
    SHUT_DOWN = "shut_down"
    """Close the browser, then make a last save and backup."""
    CLOSE = "close"
    KILL = "kill"
    WIPE = "wipe"
    """Unlink at the phone if that is possible, close, wipe, write the tombstone."""
    ALERT = "alert"
