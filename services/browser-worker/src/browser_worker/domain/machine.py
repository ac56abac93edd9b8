"""The session's life as a table: `advance(session, event) -> Step`. Pure; effects are names that the runner performs.

The rules that the table keeps: a login that is known to exist is never answered with a QR, but with a restore; a
revoked login is never restored; a ban is never answered by reconnecting; nothing but CLEAR ever wipes. A pair of state
and event without a row changes nothing: the trap is a row that is missing, so the tests walk through all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from shared.contracts.sessions import Reason, State

from .reading import PageState


class Event(StrEnum):
    """What can happen to a session."""

    START = "start"
    """DesiredState running, and the lease is ours."""
    REINITIALIZE = "reinitialize"
    """`initialize` was asked for once more."""
    STOP = "stop"
    CLEAR = "clear"
    LEASE_LOST = "lease_lost"

    PROFILE_GOOD = "profile_good"
    PROFILE_NONE = "profile_none"
    PROFILE_BAD = "profile_bad"
    PROFILE_STALE = "profile_stale"
    """Another worker owned the session since this profile was used, and has backed it up."""
    PROFILE_UNREADABLE = "profile_unreadable"
    """The disk gave an error: nothing is known of the profile."""
    RESTORE_ASKED = "restore_asked"
    RESTORED = "restored"
    NOTHING_TO_RESTORE = "nothing_to_restore"
    STORE_UNKNOWN = "store_unknown"
    RESTORE_FAILED = "restore_failed"
    """This machine could not put a copy in place (a full disk); the copies may be good."""
    KEEP_PROFILE = "keep_profile"
    """No copy could be put in place, and the present profile is sound."""
    COPIES_USELESS = "copies_useless"
    """Several good copies were put in place, and none of them is logged in any more."""
    BROWSER_TOO_OLD = "browser_too_old"
    RESUME = "resume"
    """The lease is sure again, after work was interrupted by a doubt."""

    LAUNCH_FAILED = "launch_failed"
    BROWSER_GONE = "browser_gone"
    BROWSER_HANGS = "browser_hangs"
    PAGE_SILENT = "page_silent"
    """Nothing could be read for longer than the watchdog allows."""
    STILL_DOWN = "still_down"
    """The rung was climbed and did not help."""
    LADDER_ENDED = "ladder_ended"

    QR = "qr"
    LOGIN_LOST = "login_lost"
    """A QR where a login is known to exist: the profile has lost it."""
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


class Effect(StrEnum):
    """What the runner does, in the order given."""

    FIND_PROFILE = "find_profile"
    LAUNCH = "launch"
    RESTORE = "restore"
    PAUSE = "pause"
    """Wait a while, longer each time."""
    SEAL = "seal"
    SETTLE = "settle"
    """Connected: keep the carried copy, save, back up, drop what a restore set aside, reset the budgets."""
    REFRESH_QR = "refresh_qr"
    CLIMB = "climb"
    """Wait, then take the next rung of the ladder."""
    RETRY_SLOWLY = "retry_slowly"
    TAKE_OVER = "take_over"
    CONSIDER_TAKE_OVER = "consider_take_over"
    FORGET_LINK = "forget_link"
    SHUT_DOWN = "shut_down"
    """Last snapshot, save, backup; the browser closes."""
    CLOSE = "close"
    KILL = "kill"
    WIPE = "wipe"
    """Unlink at the phone if that is possible, close, wipe, tombstone."""
    ALERT = "alert"


class Fault(StrEnum):
    """What kind of fault it is, for only what can help is tried."""

    NETWORK = "network"
    PAGE = "page"
    BROWSER = "browser"
    PROFILE = "profile"


class RestoreCause(StrEnum):
    """Why a copy is put in place of the profile."""

    PROFILE_UNUSABLE = "profile_unusable"
    """There is no profile, or it is damaged, or another worker has a newer one."""
    LOGIN_LOST = "login_lost"
    """The profile is sound, but the page shows no login."""
    REQUESTED = "requested"
    """A person or the ladder wants another copy than the present profile."""


@dataclass(frozen=True)
class Session:
    """What the machine knows of one session. `linked`: a login is known to exist in the profile. `fresh`: it is known
    that none exists anywhere, or that the phone has revoked it, so a QR may be shown."""

    state: State = State.STOPPED
    reason: Reason = Reason.NOT_STARTED
    linked: bool = False
    fresh: bool = False
    newly_linked: bool = False
    """Linked in this life and not sealed yet."""
    refused: bool = False
    """WhatsApp refuses the account or the network. Nothing is tried: a ban that is answered by reconnecting becomes a
    longer ban."""
    restore_cause: RestoreCause | None = None
    """Why the newest restore began. Pauses and repetitions of the restore do not change the cause."""
    fault: Fault | None = None


@dataclass(frozen=True)
class Step:
    session: Session
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One row: the next state (None = the same), the reason shown to people, the effects."""

    state: State | None
    reason: Reason | None
    effects: tuple[Effect, ...] = ()
    fault: Fault | None = None
    linked: bool | None = None
    fresh: bool | None = None
    newly_linked: bool | None = None
    refused: bool = False
    restore_cause: RestoreCause | None = None


_LIVE = (
    State.STARTING, State.PAIRING, State.SYNCING, State.CONNECTED, State.RECONNECTING, State.CONFLICT,
    State.LOGGED_OUT, State.NEEDS_ATTENTION, State.FAILED,
)  # fmt: skip
"""States in which a browser may be running."""

_OWNED = (*_LIVE, State.RESTORING)

_REPAIRED = tuple(state for state in _LIVE if state is not State.LOGGED_OUT)
"""States in which a fault of the browser is answered; a revoked login needs no browser."""

Table = dict[tuple[State, Event], Rule]


def _rows(states: tuple[State, ...], event: Event, rule: Rule) -> Table:
    return {(state, event): rule for state in states}


def _table() -> Table:
    table: Table = {}
    for event, rule in _EVERYWHERE:
        table |= _rows(_OWNED, event, rule)
    for states, event, rule in _ROWS:
        table |= _rows(states, event, rule)
    return table


_CLIMB = (Effect.CLIMB,)
_ATTEND = (Effect.ALERT,)

_EVERYWHERE: tuple[tuple[Event, Rule], ...] = (
    (Event.STOP, Rule(State.STOPPED, Reason.STOPPED, (Effect.SHUT_DOWN,))),
    (Event.CLEAR, Rule(State.STOPPED, Reason.CLEARED, (Effect.WIPE,))),
    (Event.LEASE_LOST, Rule(State.STOPPED, Reason.LEASE_LOST, (Effect.KILL,))),
    (
        Event.RESTORE_ASKED,
        Rule(
            State.RESTORING,
            Reason.RESTORE_REQUESTED,
            (Effect.CLOSE, Effect.RESTORE),
            restore_cause=RestoreCause.REQUESTED,
        ),
    ),
)

_ROWS: tuple[tuple[tuple[State, ...], Event, Rule], ...] = (
    ((State.STOPPED,), Event.START, Rule(State.STARTING, Reason.FINDING_PROFILE, (Effect.FIND_PROFILE,))),
    ((State.STOPPED,), Event.CLEAR, Rule(State.STOPPED, Reason.CLEARED, (Effect.WIPE,))),
    # the profile
    ((State.STARTING,), Event.PROFILE_GOOD, Rule(State.STARTING, Reason.LAUNCHING, (Effect.LAUNCH,))),
    (
        (State.STARTING,),
        Event.PROFILE_UNREADABLE,
        Rule(State.STARTING, Reason.PROFILE_UNREADABLE, (Effect.PAUSE, Effect.FIND_PROFILE)),
    ),
    (
        (State.STARTING,),
        Event.PROFILE_STALE,
        Rule(State.RESTORING, Reason.OWNED_ELSEWHERE, (Effect.RESTORE,), restore_cause=RestoreCause.PROFILE_UNUSABLE),
    ),
    (
        (State.STARTING, State.RECONNECTING, State.NEEDS_ATTENTION),
        Event.PROFILE_NONE,
        Rule(State.RESTORING, Reason.NO_PROFILE, (Effect.RESTORE,), restore_cause=RestoreCause.PROFILE_UNUSABLE),
    ),
    (
        (State.STARTING, State.RECONNECTING, State.NEEDS_ATTENTION),
        Event.PROFILE_BAD,
        Rule(
            State.RESTORING,
            Reason.PROFILE_DAMAGED,
            (Effect.RESTORE,),
            fault=Fault.PROFILE,
            restore_cause=RestoreCause.PROFILE_UNUSABLE,
        ),
    ),
    (
        (State.RESTORING,),
        Event.RESTORED,
        Rule(State.STARTING, Reason.RESTORED, (Effect.LAUNCH,), linked=True, fresh=False),
    ),
    (
        (State.RESTORING,),
        Event.NOTHING_TO_RESTORE,
        Rule(State.STARTING, Reason.NOTHING_TO_RESTORE, (Effect.LAUNCH,), linked=False, fresh=True),
    ),
    (
        (State.RESTORING,),
        Event.STORE_UNKNOWN,
        Rule(State.RESTORING, Reason.STORE_UNREACHABLE, (Effect.PAUSE, Effect.RESTORE)),
    ),
    (
        (State.RESTORING,),
        Event.RESTORE_FAILED,
        Rule(State.RESTORING, Reason.RESTORE_FAILED, (Effect.PAUSE, Effect.CLOSE, Effect.RESTORE)),
    ),
    ((State.RESTORING,), Event.KEEP_PROFILE, Rule(State.STARTING, Reason.KEPT_PROFILE, (Effect.LAUNCH,))),
    (
        (State.RESTORING,),
        Event.COPIES_USELESS,
        Rule(State.LOGGED_OUT, Reason.LOGIN_GONE, (Effect.FORGET_LINK, Effect.ALERT), linked=False, fresh=True),
    ),
    ((State.RESTORING,), Event.BROWSER_TOO_OLD, Rule(State.NEEDS_ATTENTION, Reason.BROWSER_TOO_OLD, (Effect.ALERT,))),
    # the lease is sure again
    (
        (State.STARTING,),
        Event.RESUME,
        Rule(State.STARTING, Reason.FINDING_PROFILE, (Effect.CLOSE, Effect.FIND_PROFILE)),
    ),
    ((State.RESTORING,), Event.RESUME, Rule(None, None, (Effect.CLOSE, Effect.RESTORE))),
    (
        tuple(state for state in _REPAIRED if state is not State.STARTING),
        Event.RESUME,
        Rule(State.RECONNECTING, Reason.BROWSER_GONE, (Effect.CLIMB,), fault=Fault.BROWSER),
    ),
    # faults of the browser and the page
    (_REPAIRED, Event.LAUNCH_FAILED, Rule(State.RECONNECTING, Reason.LAUNCH_FAILED, _CLIMB, fault=Fault.BROWSER)),
    (_REPAIRED, Event.BROWSER_GONE, Rule(State.RECONNECTING, Reason.BROWSER_GONE, _CLIMB, fault=Fault.BROWSER)),
    (_REPAIRED, Event.BROWSER_HANGS, Rule(State.RECONNECTING, Reason.BROWSER_HANGS, _CLIMB, fault=Fault.BROWSER)),
    (_REPAIRED, Event.PAGE_SILENT, Rule(State.RECONNECTING, Reason.PAGE_SILENT, _CLIMB, fault=Fault.PAGE)),
    ((State.RECONNECTING,), Event.STILL_DOWN, Rule(None, None, _CLIMB)),
    (
        (State.RECONNECTING,),
        Event.LADDER_ENDED,
        Rule(State.NEEDS_ATTENTION, Reason.CANNOT_RECONNECT, (Effect.ALERT, Effect.RETRY_SLOWLY)),
    ),
    ((State.NEEDS_ATTENTION,), Event.STILL_DOWN, Rule(None, None, (Effect.RETRY_SLOWLY,))),
    # the page
    (
        (State.STARTING, State.PAIRING, State.SYNCING, State.RECONNECTING, State.NEEDS_ATTENTION),
        Event.QR,
        Rule(State.PAIRING, Reason.SCAN_THE_QR, newly_linked=False),
    ),
    (
        (State.STARTING, State.SYNCING, State.CONNECTED, State.RECONNECTING, State.CONFLICT, State.NEEDS_ATTENTION),
        Event.LOGIN_LOST,
        Rule(
            State.RESTORING,
            Reason.LOGIN_LOST,
            (Effect.CLOSE, Effect.RESTORE),
            fault=Fault.PROFILE,
            restore_cause=RestoreCause.LOGIN_LOST,
        ),
    ),
    (
        (State.STARTING, State.PAIRING, State.RECONNECTING),
        Event.QR_IDLE,
        Rule(State.PAIRING, Reason.SCAN_THE_QR, (Effect.REFRESH_QR,), newly_linked=False),
    ),
    ((State.STARTING, State.PAIRING), Event.PAIRING, Rule(State.SYNCING, Reason.LINKING, newly_linked=True)),
    ((State.PAIRING,), Event.SYNCING, Rule(State.SYNCING, Reason.SYNCING, newly_linked=True)),
    ((State.PAIRING,), Event.OFFLINE, Rule(State.PAIRING, Reason.WAITING_FOR_NETWORK)),
    ((State.STARTING, State.RECONNECTING, State.CONNECTED), Event.SYNCING, Rule(State.SYNCING, Reason.SYNCING)),
    (
        (State.STARTING, State.PAIRING, State.SYNCING, State.RECONNECTING, State.NEEDS_ATTENTION),
        Event.LINKED,
        Rule(State.SYNCING, Reason.SEALING, (Effect.SEAL,), linked=True, fresh=False, newly_linked=True),
    ),
    ((State.SYNCING,), Event.SEALED, Rule(State.SYNCING, Reason.SEALED, newly_linked=False)),
    (
        (State.STARTING, State.SYNCING, State.RECONNECTING, State.CONFLICT, State.NEEDS_ATTENTION, State.FAILED),
        Event.CONNECTED,
        Rule(State.CONNECTED, Reason.CONNECTED, (Effect.SETTLE,), linked=True, fresh=False),
    ),
    (
        (State.STARTING, State.CONNECTED, State.SYNCING),
        Event.OFFLINE,
        Rule(State.RECONNECTING, Reason.OFFLINE, _CLIMB, fault=Fault.NETWORK),
    ),
    (
        (State.STARTING, State.SYNCING, State.CONNECTED, State.RECONNECTING, State.NEEDS_ATTENTION),
        Event.CONFLICT,
        Rule(State.CONFLICT, Reason.OPEN_ELSEWHERE, (Effect.CONSIDER_TAKE_OVER,)),
    ),
    (
        (State.STARTING, State.SYNCING, State.CONNECTED, State.RECONNECTING, State.CONFLICT, State.NEEDS_ATTENTION),
        Event.LOGGED_OUT,
        Rule(
            State.LOGGED_OUT,
            Reason.UNLINKED_BY_PHONE,
            (Effect.FORGET_LINK, Effect.ALERT),
            linked=False,
            fresh=True,
            newly_linked=False,
        ),
    ),
    (_LIVE, Event.BANNED, Rule(State.NEEDS_ATTENTION, Reason.BANNED, _ATTEND, refused=True)),
    (_LIVE, Event.TERMS_NOT_ACCEPTED, Rule(State.NEEDS_ATTENTION, Reason.TERMS_NOT_ACCEPTED, _ATTEND, refused=True)),
    (_LIVE, Event.NETWORK_REFUSED, Rule(State.NEEDS_ATTENTION, Reason.NETWORK_REFUSED, _ATTEND, refused=True)),
    (_LIVE, Event.DEPRECATED, Rule(State.NEEDS_ATTENTION, Reason.PAGE_OUTDATED, (Effect.ALERT, Effect.RETRY_SLOWLY))),
    (_LIVE, Event.DIALOG, Rule(State.NEEDS_ATTENTION, Reason.UNKNOWN_DIALOG, _ATTEND)),
    # asked again by a person
    (
        (State.LOGGED_OUT, State.NEEDS_ATTENTION, State.FAILED),
        Event.REINITIALIZE,
        Rule(State.STARTING, Reason.REINITIALIZING, (Effect.CLOSE, Effect.FIND_PROFILE)),
    ),
    ((State.CONFLICT,), Event.REINITIALIZE, Rule(State.CONFLICT, Reason.TAKING_OVER, (Effect.TAKE_OVER,))),
    ((State.RECONNECTING,), Event.REINITIALIZE, Rule(None, Reason.REINITIALIZING, _CLIMB)),
    ((State.RESTORING,), Event.REINITIALIZE, Rule(None, Reason.REINITIALIZING, (Effect.RESTORE,))),
)

TABLE: Table = _table()

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
}
"""What the page says as an event; LOADING and UNKNOWN say nothing."""


REPAIRS = frozenset(
    {Event.LAUNCH_FAILED, Event.BROWSER_GONE, Event.BROWSER_HANGS, Event.PAGE_SILENT, Event.STILL_DOWN, Event.RESUME}
)


def meaning(session: Session, event: Event) -> Event:
    """What an event means for this session: a QR is an invitation to link only where no login can exist, and the first
    connection after a link is to be sealed before anybody is told of it."""
    if event in (Event.QR, Event.QR_IDLE) and not session.fresh:
        return Event.LOGIN_LOST
    if event is Event.CONNECTED and (session.newly_linked or session.state is State.PAIRING):
        return Event.LINKED
    return event


def advance(session: Session, event: Event) -> Step:
    """The next step. An event without a row leaves the session as it is."""
    rule = TABLE.get((session.state, meaning(session, event)))
    if rule is None or (session.refused and event in REPAIRS):
        return Step(session)
    state = rule.state or session.state
    return Step(
        replace(
            session,
            state=state,
            reason=rule.reason or session.reason,
            linked=session.linked if rule.linked is None else rule.linked,
            fresh=session.fresh if rule.fresh is None else rule.fresh,
            newly_linked=session.newly_linked if rule.newly_linked is None else rule.newly_linked,
            refused=session.refused if rule.reason is None else rule.refused,
            restore_cause=rule.restore_cause or session.restore_cause,
            fault=rule.fault or (None if state is State.CONNECTED else session.fault),
        ),
        rule.effects,
    )
