"""Which ranges of packs are read for a backup."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backup.domain.packs import ChunkLocation, OpenPack
from backup.domain.ranges import ranges_of

layouts = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(1, 50), st.booleans()), min_size=1, max_size=40
)  # pack, record's length, is it needed


def place(records: list[tuple[str, int, bool]]) -> dict[str, ChunkLocation]:
    ends = {"a": 0, "b": 0}
    locations = {}
    for number, (pack, length, needed) in enumerate(records):
        if needed:
            locations[str(number)] = ChunkLocation(pack=pack, offset=ends[pack], bytes=length, compressed=False)
        ends[pack] += length
    return locations


@given(layouts, st.integers(50, 200))
def test_every_record_lies_in_its_range_and_no_range_is_larger_than_the_limit(
    records: list[tuple[str, int, bool]], limit: int
) -> None:
    locations = place(records)
    ranges = ranges_of(locations, limit=limit)
    assert set(ranges) == set(locations)
    for name, location in locations.items():
        range_ = ranges[name]
        assert range_.pack == location.pack
        assert range_.start <= location.offset
        assert location.offset + location.bytes <= range_.start + range_.bytes
        assert range_.bytes <= limit


@given(layouts)
def test_nothing_that_is_not_needed_is_read_and_nothing_twice(records: list[tuple[str, int, bool]]) -> None:
    locations = place(records)
    ranges = set(ranges_of(locations).values())
    assert sum(range_.bytes for range_ in ranges) == sum(location.bytes for location in locations.values())


def test_a_pack_holds_its_records_where_it_says() -> None:
    pack = OpenPack(10)
    pack.add("x", b"12345", compressed=True)
    assert not pack.full
    pack.add("y", b"678901", compressed=False)
    assert pack.full
    closed = pack.close()
    for name, data in (("x", b"12345"), ("y", b"678901")):
        location = closed.locations()[name]
        assert closed.data[location.offset : location.offset + location.bytes] == data
    assert closed.bytes == 11
