"""Waiting for conditions, matching subjects, free ports."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.testing import eventually, eventually_sync, free_ports
from shared.testing.fake_bus import matches


async def test_eventually_returns_what_the_check_returned() -> None:
    counter = itertools.count()
    assert await eventually(lambda: next(counter) or None, interval=0.001) == 1


async def test_eventually_takes_an_asynchronous_check_and_assertions_as_not_yet() -> None:
    counter = itertools.count()

    async def check() -> bool:
        assert next(counter) > 2
        return True

    assert await eventually(check, interval=0.001)


async def test_eventually_fails_after_its_timeout_with_its_message() -> None:
    with pytest.raises(AssertionError, match="the moon did not hold"):
        await eventually(lambda: False, timeout=0.02, interval=0.001, message="the moon")
    with pytest.raises(AssertionError, match="did not hold"):
        eventually_sync(lambda: False, timeout=0.02, interval=0.001)


def test_free_ports_are_different() -> None:
    assert len(set(free_ports(20))) == 20


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("a.b", "a.b", True), ("a.b", "a.c", False), ("a.*", "a.b", True), ("a.*", "a.b.c", False), ("a.*", "a", False),
        ("a.>", "a.b.c", True), ("a.>", "a", False), (">", "a", True), ("*.b.>", "x.b.c", True),
    ],
)  # fmt: skip
def test_wildcards_match_as_in_nats(pattern: str, subject: str, expected: bool) -> None:
    assert matches(pattern, subject) is expected


TOKENS = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=5)


@given(TOKENS, st.data())
def test_a_subject_matches_itself_with_any_tokens_made_wild(tokens: list[str], data: st.DataObject) -> None:
    wild = [data.draw(st.sampled_from(["*", token])) for token in tokens]
    assert matches(".".join(wild), ".".join(tokens))
    assert not matches(".".join([*wild, "x"]), ".".join(tokens))
