"""The table of a backup's states: what is good, bad, cleared or foreign."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup.domain import layout
from backup.domain.control_records import TombstoneRecord
from backup.domain.entries import Entry, Evidence, Listing, Summary, all_foreign, make_listing, state_of
from backup.domain.layout import BackupName
from backup.domain.listing import BackupRef, Generation, ListedObject, SessionObjects
from shared.contracts.backups import BackupEntry, BackupState

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GENERATION = layout.generation_name(NOW, "s")
MANIFEST = ListedObject("m", 1, "e", NOW)
REF = BackupRef(BackupName(2, 1, layout.instant(NOW)), GENERATION, MANIFEST)
SUMMARY = Summary("snap", NOW, "1", "content", 10, "k", {"p1": 10})
SOUND = Evidence(REF, SUMMARY)
OBJECTS = SessionObjects("shop", {GENERATION: Generation(GENERATION, NOW, backups=[REF], packs={"p1": 10, "p2": 5})})
BEFORE = TombstoneRecord(session="shop", sequence=1, epoch=1, tombstoned_at=NOW)
AFTER = TombstoneRecord(session="shop", sequence=1, epoch=2, tombstoned_at=NOW)
DRILLED = replace(REF, proofs=frozenset({"drilled", "scrubbed"}))
SCRUBBED = replace(REF, proofs=frozenset({"scrubbed", "a word of another version"}))


@pytest.mark.parametrize(
    ("evidence", "tombstone", "state"),
    [
        (SOUND, None, "stored"),
        (SOUND, BEFORE, "stored"),
        (replace(SOUND, ref=SCRUBBED), None, "scrubbed"),
        (replace(SOUND, ref=DRILLED), None, "drilled"),
        (SOUND, AFTER, "cleared"),
        (replace(SOUND, ref=DRILLED), AFTER, "cleared"),
        (Evidence(REF, None, foreign=True), AFTER, "cleared"),
        (Evidence(REF, None), AFTER, "cleared"),
        (Evidence(REF, None, foreign=True), None, "foreign"),
        (Evidence(DRILLED, None, foreign=True), BEFORE, "foreign"),
        (Evidence(REF, None), None, "bad"),
        (Evidence(DRILLED, None), BEFORE, "bad"),
        (replace(SOUND, summary=replace(SUMMARY, packs={"p3": 10})), None, "bad"),
        (replace(SOUND, summary=replace(SUMMARY, packs={"p1": 11})), None, "bad"),
        (replace(SOUND, ref=DRILLED, damaged_chunks=frozenset({"c"})), None, "bad"),
        (replace(SOUND, ref=DRILLED, damaged_chunks=None), None, "bad"),
    ],
    ids=[
        "stored", "stored after the tombstone", "scrubbed", "drilled", "before the tombstone",
        "drilled before the tombstone", "foreign before the tombstone", "unreadable before the tombstone", "foreign",
        "foreign and drilled", "unreadable manifest", "unreadable manifest of a drilled one", "missing pack",
        "pack of another size", "a chunk that is marked", "marked, and the manifest cannot be read",
    ],
)  # fmt: skip
def test_the_first_rule_that_fits_decides(evidence: Evidence, tombstone: TombstoneRecord | None, state: str) -> None:
    assert state_of(evidence, OBJECTS, tombstone) == state


@pytest.mark.parametrize("state", BackupState)
def test_only_proven_and_stored_backups_are_good_here_and_on_the_bus(state: BackupState) -> None:
    good = state in ("stored", "scrubbed", "drilled")
    assert Entry(REF, state, None).good is good
    assert on_the_bus(state).restorable is good


def test_a_state_of_a_newer_version_counts_as_restorable() -> None:
    assert on_the_bus("audited").restorable


def on_the_bus(state: str) -> BackupEntry:
    return BackupEntry(
        id="b", epoch=1, sequence=1, taken_at=NOW, bytes=1, state=state, browser_version="", generation=GENERATION
    )


def test_all_foreign_is_a_wrong_setting_but_none_or_some_is_not() -> None:
    foreign = Evidence(REF, None, foreign=True)
    assert all_foreign([foreign, foreign])
    assert all_foreign([foreign, Evidence(REF, None)]), "a planted name must not hide the wrong setting"
    assert not all_foreign([foreign, SOUND])
    assert not all_foreign([])


def test_a_generation_is_damaged_by_a_bad_backup_or_by_a_marker() -> None:
    assert make_listing(OBJECTS, [SOUND], tombstone=None).damaged == frozenset()
    assert make_listing(OBJECTS, [Evidence(REF, None)], tombstone=None).damaged == {GENERATION}
    marked = Generation(GENERATION, NOW, packs={"p1": 10}, corruption_marker=MANIFEST)
    assert make_listing(SessionObjects("shop", {GENERATION: marked}), [SOUND], tombstone=None).damaged == {GENERATION}


states = st.sampled_from(list(BackupState))


@given(st.lists(st.tuples(st.integers(1, 3), states), max_size=8))
def test_each_backup_counts_once_and_by_its_good_copy(found: list[tuple[int, BackupState]]) -> None:
    """Replicas that stored one snapshot at once made one backup in two generations."""
    entries = tuple(
        Entry(BackupRef(BackupName(1, sequence, layout.instant(NOW)), GENERATION, MANIFEST), state, None)
        for sequence, state in found
    )
    once = {entry.ref.name.sequence: entry for entry in Listing(OBJECTS, entries).each_backup()}
    assert set(once) == {sequence for sequence, _ in found}
    for sequence, entry in once.items():
        assert entry.good == any(state.restorable for other, state in found if other == sequence)


def test_the_newest_counts_as_the_same_content_only_when_it_is_good_and_its_generation_whole() -> None:
    def newest(entry: Entry, damaged: frozenset[str] = frozenset()) -> Entry | None:
        return Listing(OBJECTS, (entry,), damaged=damaged).newest_with_content("content")

    entry = Entry(REF, BackupState.STORED, SUMMARY)
    assert newest(entry) is entry
    assert newest(entry, frozenset({GENERATION})) is None
    assert newest(replace(entry, state=BackupState.BAD)) is None
    assert newest(replace(entry, state=BackupState.CLEARED)) is None
    assert newest(replace(entry, summary=replace(SUMMARY, content="other"))) is None
    assert Listing(OBJECTS, ()).newest_with_content("content") is None


planted = st.builds(
    lambda epoch, sequence: Entry(
        BackupRef(BackupName(epoch, sequence, layout.instant(NOW)), GENERATION, MANIFEST), BackupState.BAD, None
    ),
    st.integers(0, 9_999_999_999),
    st.integers(0, 99_999_999),
)


@given(st.lists(planted, max_size=5), st.booleans())
def test_epoch_sequence_and_the_newest_come_only_from_backups_that_open(
    strangers: list[Entry], any_opens: bool
) -> None:
    mine = [Entry(REF, BackupState.STORED, SUMMARY)] if any_opens else []
    listing = Listing(OBJECTS, tuple(sorted([*strangers, *mine], key=lambda each: each.ref.name, reverse=True)))
    assert listing.newest is (mine[0] if mine else None)
    assert (listing.highest_epoch, listing.next_sequence) == ((2, 2) if mine else (0, 1))
    assert (listing.newest_with_content("content") is not None) is any_opens
