"""What retention keeps, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backup.domain import layout
from backup.domain.entries import Entry, Listing
from backup.domain.listing import BackupRef, ListedObject, SessionObjects
from backup.domain.retention import Candidate, RetentionPolicy, judge, judge_listing
from shared.contracts.backups import BackupState

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLICY = RetentionPolicy()

candidates = st.lists(
    st.tuples(
        st.integers(0, 60 * 24 * 40),
        st.sampled_from(
            [BackupState.STORED, BackupState.SCRUBBED, BackupState.DRILLED, BackupState.BAD, BackupState.CLEARED]
        ),
    ),
    max_size=60,
).map(
    lambda items: [
        Candidate(str(number), (1, number), NOW - timedelta(minutes=minutes), state)
        for number, (minutes, state) in enumerate(sorted(items, key=lambda item: -item[0]))
    ]
)


def kept(backups: list[Candidate], **changes: object) -> dict[str, tuple[str, ...]]:
    verdicts = judge(backups, POLICY, NOW, **changes)  # type: ignore[arg-type]
    return {verdict.id: verdict.reasons for verdict in verdicts if verdict.kept}


def every(step: timedelta, count: int) -> list[Candidate]:
    """`count` good backups, the newest (the last) now."""
    return [Candidate(str(number), (1, number), NOW - step * (count - 1 - number)) for number in range(count)]


@given(candidates)
def test_the_newest_good_backup_is_always_kept(backups: list[Candidate]) -> None:
    good = [backup for backup in backups if backup.state not in (BackupState.BAD, BackupState.CLEARED)]
    if good:
        assert "newest" in kept(backups)[max(good, key=lambda backup: backup.order).id]


@given(candidates)
def test_something_is_kept_unless_all_was_cleared(backups: list[Candidate]) -> None:
    if any(backup.state != BackupState.CLEARED for backup in backups):
        assert kept(backups, tombstoned_at=NOW - timedelta(days=9))


@given(candidates)
def test_the_newest_drilled_backup_is_pinned(backups: list[Candidate]) -> None:
    drilled = [backup for backup in backups if backup.state == BackupState.DRILLED]
    if drilled:
        assert "newest drilled" in kept(backups)[max(drilled, key=lambda backup: backup.order).id]


@given(candidates)
def test_every_verdict_has_a_reason_and_every_backup_one_verdict(backups: list[Candidate]) -> None:
    verdicts = judge(backups, POLICY, NOW)
    assert sorted(verdict.id for verdict in verdicts) == sorted(backup.id for backup in backups)
    assert all(verdict.reasons for verdict in verdicts)


@given(candidates)
def test_judging_the_kept_again_removes_nothing_more(backups: list[Candidate]) -> None:
    remaining = kept(backups)
    again = [backup for backup in backups if backup.id in remaining]
    assert set(kept(again)) == set(remaining)


@given(candidates)
def test_bad_and_cleared_backups_take_no_slot_of_a_good_one(backups: list[Candidate]) -> None:
    good = [backup for backup in backups if backup.state not in (BackupState.BAD, BackupState.CLEARED)]
    verdicts = kept(backups)
    assert {name: verdicts[name] for name in verdicts if name in {backup.id for backup in good}} == kept(good)


@given(candidates, st.integers(0, 400))
def test_time_alone_removes_no_good_backup(backups: list[Candidate], days: int) -> None:
    good = [backup for backup in backups if backup.state not in (BackupState.BAD, BackupState.CLEARED)]
    later = judge(good, POLICY, NOW + timedelta(days=days))
    assert {verdict.id for verdict in later if verdict.kept} == set(kept(good))


@given(candidates)
def test_no_more_than_the_slots_are_kept_of_good_ones(backups: list[Candidate]) -> None:
    good = [backup for backup in backups if backup.state not in (BackupState.BAD, BackupState.CLEARED)]
    assert len(kept(good)) <= 12 + 24 + 14 + 1 + 1


def test_two_days_of_five_minute_backups_keep_twelve_twenty_four_and_the_days() -> None:
    backups = every(timedelta(minutes=5), 12 * 48)
    reasons = [reason for each in kept(backups).values() for reason in each]
    assert reasons.count("five-minute") == 12
    assert reasons.count("hourly") == 24
    assert reasons.count("daily") == 3


def test_a_session_that_was_away_for_a_month_loses_nothing_on_its_return() -> None:
    old = [Candidate(str(number), (1, number), NOW - timedelta(days=31, hours=20 - number)) for number in range(20)]
    before = set(kept(old))
    assert before <= set(kept([*old, Candidate("back", (2, 20), NOW)]))


def test_a_backup_dated_in_the_future_does_not_push_out_the_others() -> None:
    backups = [*every(timedelta(hours=1), 10), Candidate("future", (1, 10), NOW + timedelta(days=4000))]
    assert len(kept(backups)) == 11


def test_cleared_backups_go_only_after_the_grace_time_of_the_tombstone() -> None:
    backups = [Candidate("a", (1, 1), NOW - timedelta(days=3), BackupState.CLEARED)]
    assert "a" in kept(backups, tombstoned_at=NOW - timedelta(hours=23, minutes=59))
    assert "a" not in kept(backups, tombstoned_at=NOW - timedelta(hours=24))
    assert "a" in kept(backups, tombstoned_at=None)


def test_a_bad_backup_stays_for_examination_and_goes_when_good_ones_are_much_newer() -> None:
    bad = Candidate("bad", (1, 1), NOW - timedelta(days=15), BackupState.BAD)
    assert "bad" in kept([bad])
    assert "bad" in kept([bad, Candidate("good", (1, 2), NOW - timedelta(days=14))])
    assert "bad" not in kept([bad, Candidate("good", (1, 2), NOW)])


@given(candidates, st.integers(0, 400), st.integers(1, 2**30))
def test_a_planted_name_is_no_clock(backups: list[Candidate], years: int, epoch: int) -> None:
    """It neither ages a bad backup nor takes a place of a good one."""
    planted = Candidate("planted", (epoch, 1), NOW + timedelta(days=365 * years), BackupState.BAD, NOW)
    before = {verdict.id: verdict for verdict in judge(backups, POLICY, NOW)}
    after = {verdict.id: verdict for verdict in judge([*backups, planted], POLICY, NOW)}
    assert {name: after[name] for name in before} == before


def test_a_bad_backup_is_old_only_when_the_store_says_so_too() -> None:
    good = Candidate("good", (1, 2), NOW, written_at=NOW)
    named_old = Candidate("bad", (1, 1), NOW - timedelta(days=15), BackupState.BAD, written_at=NOW - timedelta(days=13))
    assert "bad" in kept([named_old, good])
    assert "bad" not in kept([replace(named_old, written_at=NOW - timedelta(days=14)), good])


def test_a_damaged_copy_of_a_backup_never_removes_its_good_copy() -> None:
    """Replicas that stored one snapshot at once made one backup in two generations."""

    def entry(days: int, state: BackupState, generation: str) -> Entry:
        name = layout.BackupName(1, 100 - days, layout.instant(NOW - timedelta(days=days)))
        return Entry(BackupRef(name, generation, ListedObject(generation, 1, "e", NOW)), state, None)

    newest = entry(0, BackupState.SCRUBBED, "g3")
    good, bad = entry(20, BackupState.SCRUBBED, "g1"), entry(20, BackupState.BAD, "g2")
    for copies in ((good, bad), (bad, good)):
        verdicts = judge_listing(Listing(SessionObjects("shop"), (newest, *copies)), POLICY, NOW)
        assert verdicts[good.ref.id].kept
