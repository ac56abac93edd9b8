"""An observation with the questions that many checks ask of it. Pure; each answer is one line of plain reasoning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from shared.contracts.sessions import DesiredState, ProfileStatus, SessionStatus, State

from .observation import Observation
from .samples import BackupReplicaSample, WorkerSample
from .thresholds import Thresholds


class Wish(StrEnum):
    """What people want of the session."""

    NEVER = "never started"
    STOPPED = "stopped"
    CLEARED = "cleared"
    RUNNING = "running"


class Cause(StrEnum):
    """Faults that only a person can answer, told apart by the status's reason."""

    NONE = ""
    BANNED = "banned"
    TERMS = "terms"
    DEPRECATED = "deprecated"
    PROXY = "proxy"
    BLOCKED = "blocked"
    DIALOG = "dialog"


_CAUSES: tuple[tuple[frozenset[str], Cause], ...] = (
    (frozenset({"ban", "banned"}), Cause.BANNED),
    (frozenset({"tos", "terms"}), Cause.TERMS),
    (frozenset({"deprecated", "outdated"}), Cause.DEPRECATED),
    (frozenset({"proxy", "proxyblock"}), Cause.PROXY),
    (frozenset({"block", "blocked"}), Cause.BLOCKED),
    (frozenset({"dialog"}), Cause.DIALOG),
)
"""LocalizedText of a reason → cause; the first row that matches counts, so `tos_block` is TERMS and not BLOCKED."""

_TROUBLED = frozenset({State.NEEDS_ATTENTION, State.FAILED, State.RECONNECTING, State.LOGGED_OUT, State.UNKNOWN})
_LOGIN_EXPECTED = frozenset(
    {
        State.CONNECTED, State.RECONNECTING, State.CONFLICT, State.NEEDS_ATTENTION, State.FAILED, State.STOPPED,
        State.UNKNOWN,
    }
)  # fmt: skip
"""States in which the profile should hold a login; elsewhere it is being made, restored or has been unlinked."""
_COPIES_EXPECTED = frozenset({State.CONNECTED, State.RECONNECTING})
"""States in which saves and backups are expected to be fresh."""
_PAGE_EXPECTED = frozenset({State.PAIRING, State.SYNCING, State.CONNECTED, State.RECONNECTING})


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
    def should_run(self) -> bool:
        return self.wish is Wish.RUNNING

    @property
    def listening(self) -> bool:
        return self.seen.listening_since is not None

    @cached_property
    def listened_long_enough(self) -> bool:
        """Whether silence means something: the bus has been listened to for longer than the grace time."""
        since = self.seen.listening_since
        return since is not None and self.age(since) > self.limits.grace_seconds

    def silence_counts(self, heard: datetime | None) -> bool:
        """Whether not hearing somebody now means something: it was heard since the bus was reached, or long enough has
        passed for it to be heard."""
        since = self.seen.listening_since
        return self.listened_long_enough or (since is not None and heard is not None and heard >= since)

    @property
    def in_state(self) -> float:
        """Seconds in the present state."""
        return self.age(self.status.since) if self.status else 0.0

    @cached_property
    def cause(self) -> Cause:
        if self.status is None or self.state not in _TROUBLED:
            return Cause.NONE
        said = set(re.split(r"[^a-z]+", self.status.reason.lower()))
        return next((cause for text, cause in _CAUSES if said & text), Cause.NONE)

    @property
    def copies_expected(self) -> bool:
        return self.should_run and self.state in _COPIES_EXPECTED

    @property
    def page_expected(self) -> bool:
        return self.should_run and self.state in _PAGE_EXPECTED

    @property
    def login_expected(self) -> bool:
        return self.status is not None and self.state in _LOGIN_EXPECTED and self.wish is not Wish.CLEARED

    @property
    def validated_in_state(self) -> bool:
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
    def known_to_have_no_copy(self) -> bool:
        """No save, and the store itself has said that it holds no backup. Unknown is not absent."""
        return self.status is not None and self.status.backups.known and not self.has_save and not self.has_backup

    @cached_property
    def live_workers(self) -> tuple[WorkerSample, ...]:
        return tuple(w for w in self.seen.workers if self.age(w.seen_at) <= self.limits.worker_silent_seconds)

    @cached_property
    def live_backup_replicas(self) -> tuple[BackupReplicaSample, ...]:
        return tuple(s for s in self.seen.backup_replicas if self.age(s.seen_at) <= self.limits.store_silent_seconds)

    @property
    def owner(self) -> WorkerSample | None:
        """The worker that the status names, as its own heartbeats show it."""
        if self.status is None:
            return None
        return next((w for w in self.seen.workers if w.worker == self.status.worker), None)

    @property
    def owner_alive(self) -> bool:
        return self.owner is not None and self.owner in self.live_workers
