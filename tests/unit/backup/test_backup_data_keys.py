"""Which data keys may be used, and which go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from backup.domain import layout
from backup.domain.control_records import TombstoneRecord
from backup.domain.data_keys import expired_keys, usable_keys
from backup.domain.entries import Entry, Listing, Summary
from backup.domain.layout import BackupName
from backup.domain.listing import BackupRef, ListedObject, SessionObjects
from shared.contracts.backups import BackupState

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GRACE = timedelta(hours=24)
OLD = layout.key_name(NOW - timedelta(hours=1), "00000000")
SAME_SECOND = layout.key_name(NOW, "00000001")
NEW = layout.key_name(NOW + timedelta(hours=1), "00000002")
NAMES = ["notes", OLD, NEW, SAME_SECOND]


def entry(key: str | None, number: int = 1) -> Entry:
    name = BackupName(1, number, layout.instant(NOW))
    summary = None if key is None else Summary("snap", NOW, "1", "content", 1, key, {})
    return Entry(BackupRef(name, "g", ListedObject(f"m{number}", 1, "e", NOW)), BackupState.CLEARED, summary)


def listing(*entries: Entry, tombstoned: bool = True) -> Listing:
    objects = SessionObjects("shop", keys={name: ListedObject(name, 1, "e", NOW) for name in NAMES})
    tombstone = TombstoneRecord(session="shop", sequence=1, epoch=1, tombstoned_at=NOW)
    return Listing(objects, entries, tombstone if tombstoned else None)


def test_without_a_tombstone_every_key_of_ours_may_be_used_newest_first() -> None:
    assert usable_keys(NAMES, None) == [NEW, SAME_SECOND, OLD]


def test_after_a_tombstone_only_younger_keys_may_be_used() -> None:
    assert usable_keys(NAMES, NOW) == [NEW]


def test_keys_from_before_the_tombstone_go_once_its_grace_time_is_over() -> None:
    assert expired_keys(listing(), [], grace=GRACE, now=NOW + GRACE - timedelta(seconds=1)) == []
    assert set(expired_keys(listing(), [], grace=GRACE, now=NOW + GRACE)) == {OLD, SAME_SECOND}
    assert expired_keys(listing(tombstoned=False), [], grace=GRACE, now=NOW + GRACE) == []


def test_a_key_that_a_remaining_backup_needs_stays() -> None:
    needs_old = entry(OLD)
    assert expired_keys(listing(needs_old), [], grace=GRACE, now=NOW + GRACE) == [SAME_SECOND]
    assert set(expired_keys(listing(needs_old), [needs_old], grace=GRACE, now=NOW + GRACE)) == {OLD, SAME_SECOND}


def test_all_keys_stay_while_a_remaining_backup_cannot_be_read() -> None:
    unreadable = replace(entry(OLD, 2), summary=None)
    assert expired_keys(listing(unreadable), [], grace=GRACE, now=NOW + GRACE) == []
    assert expired_keys(listing(unreadable), [unreadable], grace=GRACE, now=NOW + GRACE) != []
