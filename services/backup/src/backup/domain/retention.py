"""Which backups stay, and why.

`judge` is the whole policy. It knows names, times and states, never objects. The newest backup is the policy's clock:
slots are counted from the backups themselves, so a session that was away for a month loses nothing on its return. The
trap: a bad backup must not take the slot of a good one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

CLEARED = "cleared"
BAD = "bad"
FOREIGN = "foreign"
"""Made under another master key: not damaged, only unreadable here."""
DRILLED = "drilled"
SCRUBBED = "scrubbed"
STORED = "stored"


@dataclass(frozen=True)
class Candidate:
    """A backup as retention sees it. `order` grows with each backup (epoch, then sequence)."""

    id: str
    order: tuple[int, int]
    taken_at: datetime
    state: str = STORED


@dataclass(frozen=True)
class Policy:
    """Slots kept of each kind, and how long cleared and damaged backups stay."""

    five_minute: int = 12
    hourly: int = 24
    daily: int = 14
    cleared_for: timedelta = timedelta(hours=24)

    @property
    def bad_for(self) -> timedelta:
        return timedelta(days=self.daily)


@dataclass(frozen=True)
class Verdict:
    """`reasons` say why it is kept, or the one reason why it goes."""

    id: str
    keep: bool
    reasons: tuple[str, ...]


def judge(
    backups: Iterable[Candidate], policy: Policy, now: datetime, *, tombstoned_at: datetime | None = None
) -> list[Verdict]:
    """A verdict for each backup, newest first. `tombstoned_at` is when the tombstone was written; without it a cleared
    backup is kept."""
    ordered = sorted(backups, key=lambda backup: backup.order, reverse=True)
    good = [backup for backup in ordered if backup.state not in (CLEARED, BAD, FOREIGN)]
    reasons = _reasons(good, policy)
    verdicts = {backup.id: _verdict_good(backup, reasons) for backup in good}
    for backup in ordered:
        if backup.state == CLEARED:
            verdicts[backup.id] = _verdict_cleared(backup, policy, now, tombstoned_at)
        elif backup.state == FOREIGN:
            verdicts[backup.id] = Verdict(backup.id, True, ("made with another master key",))
        elif backup.state == BAD:
            verdicts[backup.id] = _verdict_bad(backup, policy, ordered, good)
    return [verdicts[backup.id] for backup in ordered]


def _reasons(good: Sequence[Candidate], policy: Policy) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {backup.id: [] for backup in good}
    if good:
        reasons[good[0].id].append("newest")
    drilled = next((backup for backup in good if backup.state == DRILLED), None)
    if drilled:
        reasons[drilled.id].append("newest drilled")
    for title, seconds, slots in (
        ("five-minute", 300, policy.five_minute),
        ("hourly", 3600, policy.hourly),
        ("daily", 86400, policy.daily),
    ):
        for backup in _newest_of_slots(good, seconds, slots):
            reasons[backup.id].append(title)
    return reasons


def _newest_of_slots(good: Sequence[Candidate], seconds: int, slots: int) -> list[Candidate]:
    """The newest backup of each of the last `slots` slots that have one."""
    seen: dict[int, Candidate] = {}
    for backup in good:
        seen.setdefault(int(backup.taken_at.timestamp()) // seconds, backup)
    newest = sorted(seen.values(), key=lambda backup: backup.order, reverse=True)
    return newest[:slots]


def _verdict_good(backup: Candidate, reasons: dict[str, list[str]]) -> Verdict:
    kept = tuple(reasons[backup.id])
    return Verdict(backup.id, bool(kept), kept or ("no slot left",))


def _verdict_cleared(backup: Candidate, policy: Policy, now: datetime, tombstoned_at: datetime | None) -> Verdict:
    if tombstoned_at is None or now < tombstoned_at + policy.cleared_for:
        return Verdict(backup.id, True, ("cleared, in its grace time",))
    return Verdict(backup.id, False, ("cleared, grace time over",))


def _verdict_bad(backup: Candidate, policy: Policy, ordered: Sequence[Candidate], good: Sequence[Candidate]) -> Verdict:
    if not good:
        return Verdict(backup.id, True, ("damaged, but no good one exists",))
    if backup.taken_at > ordered[0].taken_at - policy.bad_for:
        return Verdict(backup.id, True, ("damaged, kept for examination",))
    return Verdict(backup.id, False, ("damaged and old",))
