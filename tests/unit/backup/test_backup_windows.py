"""Which stretches of packs are read for a backup."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backup.domain.packs import ChunkSpot, OpenPack
from backup.domain.windows import windows_of

layouts = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(1, 50), st.booleans()), min_size=1, max_size=40
)  # pack, record's length, is it needed


def place(records: list[tuple[str, int, bool]]) -> dict[str, ChunkSpot]:
    ends = {"a": 0, "b": 0}
    spots = {}
    for number, (pack, length, needed) in enumerate(records):
        if needed:
            spots[str(number)] = ChunkSpot(pack=pack, offset=ends[pack], bytes=length, compressed=False)
        ends[pack] += length
    return spots


@given(layouts, st.integers(50, 200))
def test_every_record_lies_in_its_window_and_no_window_is_larger_than_the_limit(
    records: list[tuple[str, int, bool]], limit: int
) -> None:
    spots = place(records)
    windows = windows_of(spots, limit=limit)
    assert set(windows) == set(spots)
    for name, spot in spots.items():
        window = windows[name]
        assert window.pack == spot.pack
        assert window.start <= spot.offset
        assert spot.offset + spot.bytes <= window.start + window.bytes
        assert window.bytes <= limit


@given(layouts)
def test_nothing_that_is_not_needed_is_read_and_nothing_twice(records: list[tuple[str, int, bool]]) -> None:
    spots = place(records)
    windows = set(windows_of(spots).values())
    assert sum(window.bytes for window in windows) == sum(spot.bytes for spot in spots.values())


def test_a_pack_holds_its_records_where_it_says() -> None:
    pack = OpenPack(10)
    pack.add("x", b"12345", compressed=True)
    assert not pack.full
    pack.add("y", b"678901", compressed=False)
    assert pack.full
    closed = pack.close()
    for name, data in (("x", b"12345"), ("y", b"678901")):
        spot = closed.spots()[name]
        assert closed.data[spot.offset : spot.offset + spot.bytes] == data
    assert closed.bytes == 11
