"""The session's life as a table: `advance(session, event) -> Step`. Pure; effects are names that the runner performs.

A QR is the one picture with two meanings. On a session without a login it is an invitation to link a phone. On a
session whose login is known to exist it says that the profile has lost its login, and a person who scanned it would
link a second device while the first login still lies in a backup. The page cannot tell the two apart, only what is
known of the session can: `Session.fresh`. So `meaning` translates the event first, and a QR of a session that is not
fresh is answered by a restore and never shown. The same way the first CONNECTED after a link means LINKED: the login is
sealed before anybody is told "connected", because a crash in between must not cost the link.

The table keeps four rules, and the tests prove them for every order of events: a login that is known to exist is never
answered with a QR; a revoked login is restored only when a person asks; a refusal by WhatsApp is never answered by
reconnecting; nothing but CLEAR wipes. A pair of state and event without a row changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.contracts.sessions import Reason, State

from .events import REPAIRS, Effect, Event
from .session import LOGINS_TRIED, Fault, RestoreCause, Session


@dataclass(frozen=True)
class Step:
    session: Session
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One row: the next state and the reason shown to people (None = as before), the effects, and what is known now."""

    state: State | None
    reason: Reason | None
    effects: tuple[Effect, ...] = ()
    fault: Fault | None = None
    linked: bool | None = None
    revoked: bool | None = None
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
        (State.STARTING, State.RECONNECTING, State.NEEDS_ATTENTION),
        Event.PROFILE_REVOKED,
        Rule(State.STARTING, Reason.LAUNCHING, (Effect.SET_ASIDE, Effect.LAUNCH)),
    ),
    (
        (State.STARTING,),
        Event.PROFILE_STALE,
        Rule(State.RESTORING, Reason.OWNED_ELSEWHERE, (Effect.RESTORE,), restore_cause=RestoreCause.OWNED_ELSEWHERE),
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
        Rule(State.STARTING, Reason.RESTORED, (Effect.LAUNCH,), linked=True, revoked=False, fresh=False),
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
        Rule(
            State.LOGGED_OUT,
            Reason.LOGIN_GONE,
            (Effect.FORGET_ACCOUNT, Effect.ALERT),
            linked=False,
            revoked=True,
            fresh=True,
        ),
    ),
    (
        (State.RESTORING,),
        Event.TOMBSTONE_UNVERIFIED,
        Rule(State.NEEDS_ATTENTION, Reason.TOMBSTONE_UNVERIFIED, (Effect.ALERT,)),
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
    (
        tuple(state for state in _REPAIRED if state is not State.NEEDS_ATTENTION),
        Event.PAGE_ELSEWHERE,
        Rule(State.RECONNECTING, Reason.PAGE_ELSEWHERE, _CLIMB, fault=Fault.PAGE),
    ),
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
        Rule(State.SYNCING, Reason.SEALING, (Effect.SEAL,), linked=True, revoked=False, fresh=False, newly_linked=True),
    ),
    ((State.SYNCING,), Event.SEALED, Rule(State.SYNCING, Reason.SEALED, newly_linked=False)),
    (
        (State.STARTING, State.SYNCING, State.RECONNECTING, State.CONFLICT, State.NEEDS_ATTENTION, State.FAILED),
        Event.CONNECTED,
        Rule(State.CONNECTED, Reason.CONNECTED, (Effect.CONFIRM_CONNECTED,), linked=True, revoked=False, fresh=False),
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
            (Effect.FORGET_ACCOUNT, Effect.ALERT),
            linked=False,
            revoked=True,
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


def meaning(session: Session, event: Event) -> Event:
    """What an event means for this session."""
    if event in (Event.QR, Event.QR_IDLE) and not session.fresh:
        return Event.LOGIN_LOST
    if event is Event.CONNECTED and (session.newly_linked or session.state is State.PAIRING):
        return Event.LINKED
    if event in (Event.PROFILE_NONE, Event.PROFILE_BAD) and session.login_is_revoked:
        return Event.PROFILE_REVOKED
    return event


def advance(session: Session, event: Event) -> Step:
    """The next step. An event without a row leaves the session as it is."""
    rule = TABLE.get((session.state, meaning(session, event)))
    if rule is None or (session.refused and event in REPAIRS):
        return Step(session)
    return Step(_counted(_ruled(session, rule), event), _one_browser(session, rule.effects))


def _ruled(session: Session, rule: Rule) -> Session:
    state = rule.state or session.state
    return replace(
        session,
        state=state,
        reason=rule.reason or session.reason,
        linked=session.linked if rule.linked is None else rule.linked,
        revoked=session.revoked if rule.revoked is None else rule.revoked,
        fresh=session.fresh if rule.fresh is None else rule.fresh,
        newly_linked=session.newly_linked if rule.newly_linked is None else rule.newly_linked,
        refused=session.refused if rule.reason is None else rule.refused,
        restore_cause=rule.restore_cause or session.restore_cause,
        fault=rule.fault or (None if state is State.CONNECTED else session.fault),
    )


def _counted(session: Session, event: Event) -> Session:
    """A connection proves the launch and the copy that led to it; a link that is being made proves the launch."""
    if event is Event.RESTORED:
        restored = session.logins_restored + (session.restore_cause is RestoreCause.LOGIN_LOST)
        session = replace(session, pauses=0, logins_restored=min(restored, LOGINS_TRIED))
    if session.state is State.CONNECTED:
        session = replace(session, pauses=0, logins_restored=0, owned_elsewhere=False)
    if session.state is State.CONNECTED or session.newly_linked:
        session = replace(session, connected_since_launch=True, launches_since_connected=0)
    return session


def _one_browser(session: Session, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    """A browser that runs is closed before another starts or its profile is replaced."""
    needs_rest = Effect.LAUNCH in effects or Effect.RESTORE in effects
    return (Effect.CLOSE, *effects) if session.launched and needs_rest and Effect.CLOSE not in effects else effects
