"""One observation, its limits and a moment, with the questions that several checks ask of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from shared.contracts.sessions import DesiredState, ProfileStatus, Reason, SessionStatus, State

from .causes import Cause, cause_of
from .localized_text import duration
from .observation import Observation
from .samples import BackupReplicaSample, WorkerSample
from .thresholds import Thresholds

_CAUSE_COUNTS = frozenset({State.NEEDS_ATTENTION, State.FAILED, State.RECONNECTING, State.LOGGED_OUT, State.UNKNOWN})
"""States in which a cause counts. A session that is connected or on its way is not held up by one."""
_LOGIN_EXPECTED = frozenset(
    {
        State.CONNECTED, State.RECONNECTING, State.CONFLICT, State.NEEDS_ATTENTION, State.FAILED, State.STOPPED,
        State.UNKNOWN,
    }
)  # fmt: skip
"""States in which the profile should hold a login. In the others it is being made or restored, or was unlinked."""
_COPIES_EXPECTED = frozenset({State.CONNECTED, State.RECONNECTING})
"""States in which saves and backups should be fresh."""
_PAGE_EXPECTED = frozenset({State.PAIRING, State.SYNCING, State.CONNECTED, State.RECONNECTING})
"""States in which a page should answer probes."""


def read_desired(text: str) -> DesiredState:
    """The desired state of a record. One that this version does not know is judged as running: better one alarm too
    many than a session that nobody looks after."""
    try:
        return DesiredState(text)
    except ValueError:
        return DesiredState.RUNNING


@dataclass(frozen=True)
class Case:
    seen: Observation
    limits: Thresholds
    now: datetime

    def age(self, instant: datetime) -> float:
        """Seconds since `instant`; 0 for an instant in the future, because clocks differ."""
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
    def reason(self) -> Reason:
        """UNKNOWN also where no status has been seen."""
        return Reason.read(self.status.reason) if self.status else Reason.UNKNOWN

    @cached_property
    def desired(self) -> DesiredState | None:
        """None: the session was never started.

        Without a record the status decides, because a bus that lost its data must not stop the alarms of a session
        that runs.
        """
        if self.seen.record is not None:
            return read_desired(self.seen.record.desired)
        if self.status is None:
            return None
        return DesiredState.STOPPED if self.state is State.STOPPED else DesiredState.RUNNING

    @property
    def should_run(self) -> bool:
        return self.desired is DesiredState.RUNNING

    @property
    def listening(self) -> bool:
        return self.seen.listening_since is not None

    @cached_property
    def listened_long_enough(self) -> bool:
        """Whether silence means something: the service has listened to the bus for longer than the grace time."""
        since = self.seen.listening_since
        return since is not None and self.age(since) > self.limits.grace_seconds

    def silence_counts(self, heard: datetime | None) -> bool:
        """Whether the silence of somebody last heard at `heard` means something: they spoke since the bus was reached,
        or the service has listened long enough to hear them."""
        since = self.seen.listening_since
        return self.listened_long_enough or (since is not None and heard is not None and heard >= since)

    @property
    def in_state(self) -> float:
        """Seconds in the present state."""
        return self.age(self.status.since) if self.status else 0.0

    @cached_property
    def cause(self) -> Cause | None:
        """What stands in the session's way and only a person can remove."""
        return cause_of(self.reason) if self.state in _CAUSE_COUNTS else None

    @property
    def copies_expected(self) -> bool:
        return self.should_run and self.state in _COPIES_EXPECTED

    @property
    def page_expected(self) -> bool:
        return self.should_run and self.state in _PAGE_EXPECTED

    @property
    def login_expected(self) -> bool:
        return self.status is not None and self.state in _LOGIN_EXPECTED and self.desired is not DesiredState.CLEARED

    @property
    def validated_in_state(self) -> bool:
        """Whether the newest validation is younger than the present state: an older one looked at another profile."""
        at = self.profile.validated_at
        return self.status is not None and at is not None and at >= self.status.since

    @property
    def has_save(self) -> bool:
        return self.status is not None and (self.status.saves.count > 0 or self.status.saves.newest_at is not None)

    @property
    def has_backup(self) -> bool:
        return self.status is not None and (self.status.backups.count > 0 or self.status.backups.newest_at is not None)

    @property
    def old_listing(self) -> str:
        """How old the newest answer of the object store about the session's backups is, where that says nothing any
        more; empty for a fresh one."""
        if self.status is None or (self.status.backups.seen_at is None and not self.status.backups.known):
            return "the backup service has not been asked yet"
        backups = self.status.backups
        age = self.age(backups.seen_at) if backups.seen_at else 0.0
        old = not backups.known or age > self.limits.backup_interval_seconds * self.limits.listing_factor
        return f"the store last answered {duration(age).en} ago" if old else ""

    @property
    def known_to_have_no_copy(self) -> bool:
        """No save, and the backup service has said that no backup exists. Not known is not absent."""
        return self.status is not None and self.status.backups.known and not self.has_save and not self.has_backup

    @cached_property
    def live_workers(self) -> tuple[WorkerSample, ...]:
        return tuple(w for w in self.seen.workers if self.age(w.seen_at) <= self.limits.worker_silent_seconds)

    @cached_property
    def live_backup_replicas(self) -> tuple[BackupReplicaSample, ...]:
        return tuple(
            replica
            for replica in self.seen.backup_replicas
            if self.age(replica.seen_at) <= self.limits.backup_silent_seconds
        )

    @property
    def owner(self) -> WorkerSample | None:
        """The worker that the status names, as its own heartbeats show it."""
        if self.status is None:
            return None
        return next((w for w in self.seen.workers if w.worker == self.status.worker), None)

    @property
    def owner_alive(self) -> bool:
        return self.owner is not None and self.owner in self.live_workers
