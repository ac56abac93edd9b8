"""Token buckets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from gateway.usecases.limits import MAX_KEYS, RateLimiter


def test_as_many_as_allowed_pass_at_once_and_the_next_waits() -> None:
    limiter = RateLimiter(10)
    assert [limiter.take("a", 0.0) for _ in range(10)] == [0] * 10
    assert limiter.take("a", 0.0) == 6
    assert limiter.take("a", 6.0) == 0


def test_each_key_has_its_own_bucket() -> None:
    limiter = RateLimiter(1)
    assert limiter.take("a", 0.0) == 0
    assert limiter.take("b", 0.0) == 0
    assert limiter.take("a", 0.0) > 0


def test_strangers_cannot_fill_the_memory() -> None:
    limiter = RateLimiter(1)
    for number in range(MAX_KEYS + 500):
        limiter.take(str(number), 0.0)
    assert len(limiter._buckets) == MAX_KEYS


@given(some.lists(some.floats(min_value=0, max_value=5), max_size=200))
def test_never_more_than_the_bucket_and_its_refill_pass(pauses: list[float]) -> None:
    limiter, at, passed = RateLimiter(30), 0.0, 0
    for pause in pauses:
        at += pause
        passed += limiter.take("a", at) == 0
    assert passed <= 30 + at * 0.5 + 1e-6


def test_waiting_for_the_given_seconds_is_enough() -> None:
    limiter = RateLimiter(7)
    for _ in range(7):
        limiter.take("a", 0.0)
    wait = limiter.take("a", 0.0)
    assert limiter.take("a", float(wait)) == 0
