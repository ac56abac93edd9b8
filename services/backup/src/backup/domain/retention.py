"""Which backups are kept, and why.

`judge` is the whole policy. It knows names, times and states, never objects. Slots are counted from the backups and not
from the wall clock, so a session that was away for a month loses nothing on its return. A bad backup never takes the
slot of a good one, and is no clock: a planted name must make nothing old.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from shared.contracts.backups import BackupState

from .entries import Entry, Listing


class RetentionReason(StrEnum):
    """Why a backup is kept or goes. The REST API shows these texts (`keptBecause`)."""

    NEWEST = "newest"
    NEWEST_DRILLED = "newest drilled"
    FIVE_MINUTE = "five-minute"
    HOURLY = "hourly"
    DAILY = "daily"
    NO_SLOT_LEFT = "no slot left"
    FOREIGN = "made with another master key"
    IN_GRACE_TIME = "cleared, in its grace time"
    GRACE_TIME_OVER = "cleared, grace time over"
    ONLY_DAMAGED_ONES = "damaged, but no good one exists"
    FOR_EXAMINATION = "damaged, kept for examination"
    DAMAGED_AND_OLD = "damaged and old"


@dataclass(frozen=True)
class Candidate:
    """A backup as retention sees it. `order` grows with each backup (epoch, then sequence). `written_at` is the time of
    the object, by the store's clock: the only age of a backup that does not open."""

    id: str
    order: tuple[int, int]
    taken_at: datetime
    state: BackupState = BackupState.STORED
    written_at: datetime | None = None

    @classmethod
    def of(cls, entry: Entry) -> Candidate:
        name = entry.ref.name
        taken_at = entry.summary.taken_at if entry.summary else name.taken_at
        return cls(entry.ref.id, (name.epoch, name.sequence), taken_at, entry.state, entry.ref.manifest.modified_at)

    def is_older_than(self, other: Candidate, age: timedelta) -> bool:
        """By both clocks: that of the snapshots, and that of the store."""
        written = other.written_at is None or self.written_at is None or self.written_at <= other.written_at - age
        return written and self.taken_at <= other.taken_at - age


@dataclass(frozen=True)
class RetentionPolicy:
    """Slots of each kind, and how long cleared and damaged backups stay."""

    five_minute: int = 12
    hourly: int = 24
    daily: int = 14
    cleared_for: timedelta = timedelta(hours=24)

    @property
    def bad_for(self) -> timedelta:
        return timedelta(days=self.daily)


@dataclass(frozen=True)
class Verdict:
    """`reasons` say why the backup is kept, or the one reason why it goes."""

    id: str
    kept: bool
    reasons: tuple[RetentionReason, ...]


def judge_listing(listing: Listing, policy: RetentionPolicy, now: datetime) -> dict[str, Verdict]:
    """The verdict of each backup, by id."""
    candidates = [Candidate.of(entry) for entry in listing.each_backup()]
    verdicts = judge(candidates, policy, now, tombstoned_at=listing.tombstoned_at)
    return {verdict.id: verdict for verdict in verdicts}


def judge(
    backups: Iterable[Candidate], policy: RetentionPolicy, now: datetime, *, tombstoned_at: datetime | None = None
) -> list[Verdict]:
    """A verdict for each backup, newest first. `tombstoned_at` is when the tombstone was written; without a tombstone
    cleared backups are kept."""
    ordered = sorted(backups, key=lambda backup: backup.order, reverse=True)
    good = [backup for backup in ordered if backup.state.restorable]
    slots = _slots(good, policy)
    verdicts = []
    for backup in ordered:
        match backup.state:
            case BackupState.STORED | BackupState.SCRUBBED | BackupState.DRILLED:
                verdicts.append(_verdict_good(backup, slots))
            case BackupState.CLEARED:
                verdicts.append(_verdict_cleared(backup, policy, now, tombstoned_at))
            case BackupState.FOREIGN:
                verdicts.append(Verdict(backup.id, True, (RetentionReason.FOREIGN,)))
            case BackupState.BAD:
                verdicts.append(_verdict_bad(backup, policy, good))
            case _:
                assert_never(backup.state)
    return verdicts


def _slots(good: Sequence[Candidate], policy: RetentionPolicy) -> dict[str, list[RetentionReason]]:
    reasons: dict[str, list[RetentionReason]] = {backup.id: [] for backup in good}
    if good:
        reasons[good[0].id].append(RetentionReason.NEWEST)
    drilled = next((backup for backup in good if backup.state is BackupState.DRILLED), None)
    if drilled:
        reasons[drilled.id].append(RetentionReason.NEWEST_DRILLED)
    for reason, seconds, slots in (
        (RetentionReason.FIVE_MINUTE, 300, policy.five_minute),
        (RetentionReason.HOURLY, 3600, policy.hourly),
        (RetentionReason.DAILY, 86400, policy.daily),
    ):
        for backup in _newest_of_slots(good, seconds, slots):
            reasons[backup.id].append(reason)
    return reasons


def _newest_of_slots(good: Sequence[Candidate], seconds: int, slots: int) -> list[Candidate]:
    """The newest backup of each of the last `slots` slots that have one."""
    seen: dict[int, Candidate] = {}
    for backup in good:
        seen.setdefault(int(backup.taken_at.timestamp()) // seconds, backup)
    newest = sorted(seen.values(), key=lambda backup: backup.order, reverse=True)
    return newest[:slots]


def _verdict_good(backup: Candidate, slots: dict[str, list[RetentionReason]]) -> Verdict:
    reasons = tuple(slots[backup.id])
    return Verdict(backup.id, bool(reasons), reasons or (RetentionReason.NO_SLOT_LEFT,))


def _verdict_cleared(
    backup: Candidate, policy: RetentionPolicy, now: datetime, tombstoned_at: datetime | None
) -> Verdict:
    if tombstoned_at is None or now < tombstoned_at + policy.cleared_for:
        return Verdict(backup.id, True, (RetentionReason.IN_GRACE_TIME,))
    return Verdict(backup.id, False, (RetentionReason.GRACE_TIME_OVER,))


def _verdict_bad(backup: Candidate, policy: RetentionPolicy, good: Sequence[Candidate]) -> Verdict:
    if not good:
        return Verdict(backup.id, True, (RetentionReason.ONLY_DAMAGED_ONES,))
    if not backup.is_older_than(good[0], policy.bad_for):
        return Verdict(backup.id, True, (RetentionReason.FOR_EXAMINATION,))
    return Verdict(backup.id, False, (RetentionReason.DAMAGED_AND_OLD,))
