"""What is known of one session, and how it is counted. Pure data: `machine.advance` moves it, `note` counts.

A session changes in two ways. An *event* is a question: `machine.advance` answers it with the next state and the
effects to perform. A *fact* is no question: the runner has done something (started a browser, climbed a rung), and
`note` counts it. Nothing else changes a session, so every decision of the runner can be tested without a browser.

`DurableRecord` is the part of a session that outlives the process and a wipe. `record_of` alone writes it, so that the
record and the session cannot contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from shared.contracts.sessions import Reason, State

LOGINS_TRIED = 3
"""Copies put in place for a lost login before it is believed that the phone has revoked the login."""


class Fault(StrEnum):
    """What kind of thing went wrong; the ladder tries only what can help against it."""

    NETWORK = "network"
    PAGE = "page"
    BROWSER = "browser"
    PROFILE = "profile"


class RestoreCause(StrEnum):
    """Why a copy is put in place of the profile."""

    PROFILE_UNUSABLE = "profile_unusable"
    """There is no profile, or it is damaged."""
    OWNED_ELSEWHERE = "owned_elsewhere"
    """Another worker has owned the session since, and its copy is newer."""
    LOGIN_LOST = "login_lost"
    """The profile is sound, but the page shows no login."""
    REQUESTED = "requested"
    """A person or the ladder wants another copy than the present profile."""


@dataclass(frozen=True)
class DurableRecord:
    """What a worker remembers of a session on disk."""

    epoch: int = 0
    """The newest epoch under which this worker has used the profile."""
    linked: bool = False
    revoked: bool = False
    """The phone has unlinked the login that the profile and its copies hold."""
    request: int = 0
    """The newest SessionRecord.request that was carried out."""
    cleared_epoch: int = 0
    """Backups up to this epoch are never restored."""
    tombstone_owed: bool = False
    """The object store has not been told of a `clear` yet."""


@dataclass(frozen=True)
class Session:
    """Everything that decides what happens to a session. The defaults are a session about which nothing is known."""

    state: State = State.STOPPED
    reason: Reason = Reason.NOT_STARTED
    fault: Fault | None = None

    linked: bool = False
    """A login is known to exist in the profile."""
    revoked: bool = False
    """The phone has unlinked the login that the profile and its copies hold."""
    fresh: bool = False
    """No login exists anywhere, or the phone has revoked it: a QR may be shown."""
    newly_linked: bool = False
    """Linked in this life and not sealed yet."""
    refused: bool = False
    """WhatsApp refuses the account or the network. Nothing is tried: a ban that is answered by reconnecting becomes a
    longer ban."""
    restore_cause: RestoreCause | None = None
    """Why the newest restore began. Pauses and repetitions of the restore do not change the cause."""

    launched: bool = False
    """A browser of ours should be running."""
    connected_since_launch: bool = False
    reloaded: bool = False
    """The page was reloaded once since the launch because its send functions never became ready."""
    launches_since_connected: int = 0
    attempts: int = 0
    """Rungs climbed since the session was last connected for a while."""
    logins_restored: int = 0
    """Copies put in place for a lost login since the session was last connected, at most LOGINS_TRIED."""
    pauses: int = 0
    """Pauses in a row before the object store or the disk was asked again."""

    epoch: int = 0
    anchored: bool = False
    """The object store has confirmed the epoch; until then nothing is backed up."""
    previous_epoch: int = 0
    """The epoch under which this worker last used the profile before now."""
    owned_elsewhere: bool = False
    """Another worker has owned the session since `previous_epoch`, and this owner was not connected yet: its profile
    and saves may be older than the newest backup."""
    used_epoch: int = 0
    """The newest epoch under which this worker has used the profile."""
    request: int = 0
    cleared_epoch: int = 0
    tombstone_owed: bool = False

    @property
    def login_is_revoked(self) -> bool:
        """The phone has revoked the login, and nobody can have linked another one since: every copy is useless."""
        return self.revoked and self.fresh

    @property
    def anchored_epoch(self) -> int | None:
        return self.epoch if self.anchored else None


def session_of(record: DurableRecord, epoch: int) -> Session:
    """The session that a new owner with `epoch` begins with. Each ownership raises the epoch by one, so a larger gap
    means that another worker owned the session in between. That worker may have linked a phone again, and what this
    worker remembers of a revoked login says nothing any more."""
    owned_elsewhere = epoch > record.epoch + 1
    return Session(
        linked=record.linked,
        revoked=record.revoked,
        fresh=record.revoked and not owned_elsewhere,
        epoch=epoch,
        previous_epoch=record.epoch,
        owned_elsewhere=owned_elsewhere,
        used_epoch=record.epoch,
        request=record.request,
        cleared_epoch=record.cleared_epoch,
        tombstone_owed=record.tombstone_owed,
    )


def record_of(session: Session) -> DurableRecord:
    """What has to be on disk for this session."""
    return DurableRecord(
        epoch=session.used_epoch,
        linked=session.linked,
        revoked=session.revoked,
        request=session.request,
        cleared_epoch=session.cleared_epoch,
        tombstone_owed=session.tombstone_owed,
    )


class Fact(StrEnum):
    """What the runner has done, or is about to do."""

    PROFILE_USED = "profile_used"
    """The session runs, or is cleared, under its epoch from now on."""
    LAUNCHING = "launching"
    LAUNCHED = "launched"
    BROWSER_ENDED = "browser_ended"
    PAGE_RELOADED = "page_reloaded"
    ATTEMPT = "attempt"
    PAUSE = "pause"
    STABLE = "stable"
    """Connected for so long that the budget of attempts is whole again."""
    WIPED = "wiped"
    """Unlinked, and about to be wiped: what existed up to this epoch is never restored."""
    TOMBSTONE_WRITTEN = "tombstone_written"


def note(session: Session, fact: Fact) -> Session:
    """The session after a fact. Facts are counted and never answered."""
    match fact:
        case Fact.PROFILE_USED:
            return replace(session, used_epoch=max(session.epoch, session.used_epoch))
        case Fact.LAUNCHING:
            return replace(session, launched=False, launches_since_connected=session.launches_since_connected + 1)
        case Fact.LAUNCHED:
            return replace(session, launched=True, connected_since_launch=False, reloaded=False)
        case Fact.BROWSER_ENDED:
            return replace(session, launched=False)
        case Fact.PAGE_RELOADED:
            return replace(session, reloaded=True)
        case Fact.ATTEMPT:
            return replace(session, attempts=session.attempts + 1)
        case Fact.PAUSE:
            return replace(session, pauses=session.pauses + 1)
        case Fact.STABLE:
            return replace(session, attempts=0)
        case Fact.WIPED:
            return replace(session, linked=False, revoked=False, cleared_epoch=session.epoch, tombstone_owed=True)
        case Fact.TOMBSTONE_WRITTEN:
            return replace(session, tombstone_owed=False)
        case _:
            assert_never(fact)


def anchored(session: Session, epoch: int) -> Session:
    """The object store has confirmed this owner's epoch, which may be newer than the lease's."""
    return replace(session, epoch=epoch, anchored=True, used_epoch=epoch)


def carried_out(session: Session, request: int) -> Session:
    return replace(session, request=request)
