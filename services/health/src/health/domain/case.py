"""An observation with the questions that many checks ask of it. Pure; each answer is one line of plain reasoning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from shared.contracts.sessions import DesiredState, ProfileStatus, SessionStatus, State

from .observation import Observation, StoreSight, WorkerSight
from .thresholds import Thresholds


class Wish(StrEnum):
    """What people want of the session."""

    NEVER = "never started"
    STOPPED = "stopped"
    CLEARED = "cleared"
    RUNNING = "running"


class Blame(StrEnum):
    """Faults that only a person can answer, told apart by the status's reason."""

    NONE = ""
    BANNED = "banned"
    TERMS = "terms"
    DEPRECATED = "deprecated"
    PROXY = "proxy"
    BLOCKED = "blocked"
    DIALOG = "dialog"


_BLAMES: tuple[tuple[frozenset[str], Blame], ...] = (
    (frozenset({"ban", "banned"}), Blame.BANNED),
    (frozenset({"tos", "terms"}), Blame.TERMS),
    (frozenset({"deprecated", "outdated"}), Blame.DEPRECATED),
    (frozenset({"proxy", "proxyblock"}), Blame.PROXY),
    (frozenset({"block", "blocked"}), Blame.BLOCKED),
    (frozenset({"dialog"}), Blame.DIALOG),
)
"""Words of a reason → blame; the first row that matches counts, so `tos_block` is TERMS and not BLOCKED."""

_TROUBLED = frozenset({State.NEEDS_ATTENTION, State.FAILED, State.RECONNECTING, State.LOGGED_OUT, State.UNKNOWN})
_PROFILE_AT_WORK = frozenset(
    {
        State.CONNECTED, State.RECONNECTING, State.CONFLICT, State.NEEDS_ATTENTION, State.FAILED, State.STOPPED,
        State.UNKNOWN,
    }
)  # fmt: skip
"""States in which the profile should hold a login; elsewhere it is being made, restored or has been unlinked."""
_COPYING = frozenset({State.CONNECTED, State.RECONNECTING})
"""States in which saves and backups are expected to be fresh."""
_PAGE_OPEN = frozenset({State.PAIRING, State.SYNCING, State.CONNECTED, State.RECONNECTING})


@dataclass(frozen=True)
class Case:
    seen: Observation
    limits: Thresholds
    now: datetime

    def age(self, instant: datetime) -> float:
        """Seconds since `instant`; 0 for one in the future, for clocks differ."""
        return max(0.0, (self.now - instant).total_seconds())

    @property
    def status(self) -> SessionStatus | None:
        return self.seen.status

    @property
    def profile(self) -> ProfileStatus:
        return self.status.profile if self.status else ProfileStatus()

    @cached_property
    def state(self) -> State:
        """UNKNOWN also where no status has been seen."""
        return State.read(self.status.state) if self.status else State.UNKNOWN

    @cached_property
    def wish(self) -> Wish:
        """Without a record the status decides: a bus that lost its data must not make a running session unwanted."""
        if self.seen.record is None:
            if self.status is None:
                return Wish.NEVER
            return Wish.STOPPED if self.state is State.STOPPED else Wish.RUNNING
        return {DesiredState.STOPPED.value: Wish.STOPPED, DesiredState.CLEARED.value: Wish.CLEARED}.get(
            self.seen.record.desired, Wish.RUNNING
        )

    @property
    def wanted(self) -> bool:
        return self.wish is Wish.RUNNING

    @property
    def listening(self) -> bool:
        return self.seen.listening_since is not None

    @cached_property
    def settled(self) -> bool:
        """Whether silence means something: the bus has been listened to for longer than the grace time."""
        since = self.seen.listening_since
        return since is not None and self.age(since) > self.limits.grace_seconds

    def silence_counts(self, heard: datetime | None) -> bool:
        """Whether not hearing somebody now means something: it was heard since the bus was reached, or long enough has
        passed for it to be heard."""
        since = self.seen.listening_since
        return self.settled or (since is not None and heard is not None and heard >= since)

    @property
    def in_state(self) -> float:
        """Seconds in the present state."""
        return self.age(self.status.since) if self.status else 0.0

    @cached_property
    def blame(self) -> Blame:
        if self.status is None or self.state not in _TROUBLED:
            return Blame.NONE
        said = set(re.split(r"[^a-z]+", self.status.reason.lower()))
        return next((blame for words, blame in _BLAMES if said & words), Blame.NONE)

    @property
    def copying(self) -> bool:
        return self.wanted and self.state in _COPYING

    @property
    def page_open(self) -> bool:
        return self.wanted and self.state in _PAGE_OPEN

    @property
    def profile_at_work(self) -> bool:
        return self.status is not None and self.state in _PROFILE_AT_WORK and self.wish is not Wish.CLEARED

    @property
    def validated_here(self) -> bool:
        """Whether the newest validation looked at the profile of this state: one from before the link says nothing."""
        at = self.profile.validated_at
        return self.status is not None and at is not None and at >= self.status.since

    @property
    def has_save(self) -> bool:
        return self.status is not None and (self.status.saves.count > 0 or self.status.saves.newest_at is not None)

    @property
    def has_backup(self) -> bool:
        return self.status is not None and (self.status.backups.count > 0 or self.status.backups.newest_at is not None)

    @property
    def surely_no_copy(self) -> bool:
        """No save, and the store itself has said that it holds no backup. Unknown is not absent."""
        return self.status is not None and self.status.backups.known and not self.has_save and not self.has_backup

    @cached_property
    def fresh_workers(self) -> tuple[WorkerSight, ...]:
        return tuple(w for w in self.seen.workers if self.age(w.seen_at) <= self.limits.worker_silent_seconds)

    @cached_property
    def fresh_stores(self) -> tuple[StoreSight, ...]:
        return tuple(s for s in self.seen.stores if self.age(s.seen_at) <= self.limits.store_silent_seconds)

    @property
    def owner(self) -> WorkerSight | None:
        """The worker that the status names, as its own heartbeats show it."""
        if self.status is None:
            return None
        return next((w for w in self.seen.workers if w.worker == self.status.worker), None)

    @property
    def owner_alive(self) -> bool:
        return self.owner is not None and self.owner in self.fresh_workers
