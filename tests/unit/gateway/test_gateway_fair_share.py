"""Who must give up a place, whatever the order in which clients come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.fair_share import Holders, WaitingRoom

MOST, MOST_OF_ONE = 12, 5
MOVES = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", ""]), st.integers(0, 30), st.booleans()), max_size=120)


@given(MOVES)
def test_a_newcomer_is_always_let_in_and_no_bound_is_ever_passed(moves: list[tuple[str, int, bool]]) -> None:
    room = WaitingRoom[int](most=MOST, most_of_one=MOST_OF_ONE)
    inside: dict[int, str] = {}
    for holder, connection, comes in moves:
        if not comes:
            room.leave(connection)
            inside.pop(connection, None)
            continue
        inside.pop(connection, None)
        inside[connection] = holder
        before = dict(inside)
        counts = {each: list(inside.values()).count(each) for each in inside.values()}
        leaving = room.enter(holder, connection)
        if leaving is None:
            assert len(inside) <= MOST
            assert not holder or counts[holder] <= MOST_OF_ONE
        else:
            assert leaving != connection
            whose = inside.pop(leaving)
            assert whose == holder or counts[whose] == max(counts.values())
            assert leaving == next(each for each, of in before.items() if of == whose), "the oldest of its holder"
        assert set(room) == set(inside)
        assert all(list(inside.values()).count(each) <= MOST_OF_ONE for each in inside.values() if each)


@given(st.integers(1, 40), st.integers(1, 3))
def test_one_address_never_puts_out_another(flood: int, quiet: int) -> None:
    room = WaitingRoom[str](most=8, most_of_one=5)
    for number in range(quiet):
        assert room.enter("quiet", f"quiet-{number}") is None
    for number in range(flood):
        leaving = room.enter("flood", f"flood-{number}")
        assert leaving is None or leaving.startswith("flood")
    assert sum(name.startswith("quiet") for name in room) == quiet


def test_the_oldest_leaves_first() -> None:
    room = WaitingRoom[int](most=10, most_of_one=2)
    assert [room.enter("a", number) for number in range(5)] == [None, None, 0, 1, 2]


def test_a_place_that_is_taken_again_becomes_the_newest() -> None:
    holders = Holders[int]()
    for number in (1, 2, 1):
        holders.add("a", number)
    assert (holders.oldest("a"), holders.held_by("a"), len(holders)) == (2, 2, 2)
    holders.remove(2)
    holders.remove(1)
    holders.remove(1)
    assert (holders.greediest(), holders.held_by("a"), len(holders)) == ("", 0, 0)


def test_many_through_a_proxy_are_bounded_in_all_only() -> None:
    room = WaitingRoom[int](most=10, most_of_one=2)
    assert [room.enter("", number) for number in range(11)] == [*[None] * 10, 0]
