"""The one back-off."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared.backoff import Backoff

ROOT = Path(__file__).parents[3]
PRODUCT = ("shared/src", "services", "deploy/local/src")


def test_the_delay_doubles_up_to_its_cap() -> None:
    backoff = Backoff(first=0.5, longest=30.0)
    assert [backoff.delay(attempt) for attempt in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.delay(10**9) == 30


def test_jitter_takes_at_most_half() -> None:
    backoff = Backoff(first=2.0, longest=30.0)
    assert [backoff.delay(2, jitter) for jitter in (0.0, 0.5, 1.0)] == [2.0, 3.0, 4.0]


@given(attempt=st.integers(1, 10**6), jitter=st.floats(0, 1), first=st.floats(0.01, 60), longest=st.floats(60, 600))
def test_every_delay_lies_between_half_of_the_first_and_the_cap(
    attempt: int, jitter: float, first: float, longest: float
) -> None:
    assert first / 2 <= Backoff(first, longest).delay(attempt, jitter) <= longest
