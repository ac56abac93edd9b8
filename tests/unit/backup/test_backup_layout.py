"""Names of objects, and what a listing of them shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup.domain import layout
from backup.domain.layout import BackupName
from backup.domain.listing import ListedObject, parse_listing

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
names = st.builds(
    BackupName,
    st.integers(0, 10**9),
    st.integers(0, 10**8 - 1),
    st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(layout.instant),  # noqa: DTZ001
)


def listed(key: str, size: int = 1, at: datetime = NOW) -> ListedObject:
    return ListedObject(key, size, "e", at)


@given(names)
def test_a_backup_s_name_reads_back(name: BackupName) -> None:
    assert BackupName.read(str(name)) == name


@given(names, names)
def test_names_sort_as_text_in_the_order_of_the_backups(one: BackupName, other: BackupName) -> None:
    assert (one < other) == (str(one) < str(other))


@given(st.text(max_size=40))
def test_foreign_text_is_no_name(text: str) -> None:
    with pytest.raises(layout.BadName):
        BackupName.read(text + "!")


def test_the_same_snapshot_gets_the_same_generation_unless_that_name_is_taken() -> None:
    first = layout.generation_name(NOW, "snap")
    assert layout.generation_name(NOW, "snap") == first
    assert layout.generation_name(NOW, "snap", taken=frozenset({first})) != first
    assert layout.generation_start(first) == NOW


def test_a_listing_becomes_generations_with_backups_newest_first() -> None:
    generation = layout.generation_name(NOW, "s")
    later = layout.generation_name(NOW + timedelta(days=1), "s")
    old, new = str(BackupName(1, 1, layout.instant(NOW))), str(BackupName(2, 2, layout.instant(NOW)))
    objects = parse_listing(
        "shop",
        [
            listed(layout.head("shop")),
            listed(layout.tombstone("shop")),
            listed(layout.data_key("shop", "k")),
            listed(layout.pack("shop", generation, "p1"), 10),
            listed(layout.manifest("shop", generation, old)),
            listed(layout.proof("shop", generation, old, "scrubbed")),
            listed(layout.manifest("shop", later, new)),
            listed(layout.corruption_marker("shop", later)),
        ],
    )
    assert [ref.id for ref in objects.backups] == [new, old]
    assert objects.backups[1].proofs == {"scrubbed"}
    assert objects.generations[generation].packs == {"p1": 10}
    assert objects.generations[later].corruption_marker is not None
    assert objects.bytes == 17
    assert objects.tombstone is not None


def test_names_of_others_are_passed_over() -> None:
    generation = layout.generation_name(NOW, "s")
    objects = parse_listing(
        "shop",
        [
            listed(layout.session_prefix("shop") + "readme.txt"),
            listed(layout.pack("shop", "20261122T120000Z-zzzzzzzz", "p")),
            listed(layout.pack("shop", "20269999T120000Z-00000000", "p")),
            listed(layout.manifest("shop", generation, "notes")),
            listed(layout.session_prefix("shop") + "a/b/c/d"),
        ],
    )
    assert objects.backups == []
    assert set(objects.generations) == {generation}


def test_an_unknown_object_in_a_generation_belongs_to_the_generation() -> None:
    generation = layout.generation_name(NOW, "s")
    stray = listed(layout.pack("shop", generation, "p") + ".tmp/part")
    assert parse_listing("shop", [stray]).generations[generation].objects == [stray]


def test_a_built_key_parses_to_what_it_was_built_from() -> None:
    generation, backup = layout.generation_name(NOW, "s"), str(BackupName(1, 1, layout.instant(NOW)))
    kind = layout.ObjectKind
    for key, expected in {
        layout.head("shop"): layout.ObjectKey(kind.HEAD),
        layout.tombstone("shop"): layout.ObjectKey(kind.TOMBSTONE),
        layout.data_key("shop", "k"): layout.ObjectKey(kind.DATA_KEY, name="k"),
        layout.pack("shop", generation, "p"): layout.ObjectKey(kind.PACK, generation, "p"),
        layout.manifest("shop", generation, backup): layout.ObjectKey(kind.MANIFEST, generation, backup),
        layout.proof("shop", generation, backup, "drilled"): layout.ObjectKey(
            kind.PROOF, generation, f"{backup}.drilled"
        ),
        layout.corruption_marker("shop", generation): layout.ObjectKey(kind.CORRUPTION_MARKER, generation),
    }.items():
        assert layout.parse_key(key) == expected
    assert layout.parse_key(layout.probe("x")) is None
