"""Names of objects, and the inventory made from a listing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup.domain import layout
from backup.domain.inventory import Listed, take_stock
from backup.domain.layout import BackupName

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
names = st.builds(
    BackupName,
    st.integers(0, 10**9),
    st.integers(0, 10**8 - 1),
    st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(layout.instant),  # noqa: DTZ001
)


def listed(key: str, size: int = 1, at: datetime = NOW) -> Listed:
    return Listed(key, size, "e", at)


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
    stock = take_stock(
        "shop",
        [
            listed(layout.head("shop")),
            listed(layout.tombstone("shop")),
            listed(layout.data_key("shop", "k")),
            listed(layout.pack("shop", generation, "p1"), 10),
            listed(layout.manifest("shop", generation, old)),
            listed(layout.proof("shop", generation, old, "scrubbed")),
            listed(layout.manifest("shop", later, new)),
            listed(layout.damaged("shop", later)),
        ],
    )
    assert [ref.id for ref in stock.backups] == [new, old]
    assert stock.backups[1].proofs == {"scrubbed"}
    assert stock.generations[generation].packs == {"p1": 10}
    assert stock.generations[later].damaged is not None
    assert (stock.highest_epoch, stock.next_sequence, stock.bytes) == (2, 3, 17)
    assert stock.head is not None
    assert stock.tombstone is not None


def test_names_of_others_are_passed_over() -> None:
    generation = layout.generation_name(NOW, "s")
    stock = take_stock(
        "shop",
        [
            listed("sessions/shop/readme.txt"),
            listed("sessions/shop/20261122T120000Z-zzzzzzzz/packs/p"),
            listed(f"sessions/shop/{generation}/manifests/notes"),
            listed("sessions/shop/a/b/c/d"),
        ],
    )
    assert stock.backups == []
    assert set(stock.generations) == {generation}
