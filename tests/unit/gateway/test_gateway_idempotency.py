"""One answer for one Idempotency-Key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.domain.request_errors import KeyReused
from gateway.usecases.idempotency import KEY_SECONDS, MOST_KEYS, Idempotency
from shared.clock import Deadline, SystemClock
from shared.contracts.errors import Conflict, TimedOut
from shared.testing import FakeClock

LONG = Deadline(FakeClock(), 30.0)
"""On a clock that stands still, so that it never comes."""


class Counting:
    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> int:
        self.done += 1
        return self.done


def test_the_same_request_is_done_once_and_answered_the_same() -> None:
    answers: Idempotency[int] = Idempotency(FakeClock())
    work = Counting()
    assert [answers.once("me", "k", b"x", LONG, work) for _ in range(3)] == [(1, False), (1, True), (1, True)]


def test_the_same_key_with_another_request_is_refused_and_nothing_is_done() -> None:
    answers: Idempotency[int] = Idempotency(FakeClock())
    work = Counting()
    answers.once("me", "k", b"x", LONG, work)
    with pytest.raises(KeyReused):
        answers.once("me", "k", b"y", LONG, work)
    assert work.done == 1
    assert answers.once("other", "k", b"y", LONG, work) == (2, False), "a key belongs to its sender"


def test_an_error_frees_the_key_for_the_same_request_only() -> None:
    answers: Idempotency[int] = Idempotency(FakeClock())

    def fail() -> int:
        raise TimedOut("late")

    with pytest.raises(TimedOut):
        answers.once("me", "k", b"x", LONG, fail)
    with pytest.raises(KeyReused):
        answers.once("me", "k", b"y", LONG, Counting())
    assert answers.once("me", "k", b"x", LONG, Counting()) == (1, False)


def test_work_that_knows_its_repetitions_is_asked_again() -> None:
    answers: Idempotency[int] = Idempotency(FakeClock())
    work = Counting()
    assert [answers.once("me", "k", b"x", LONG, work, remember=False)[0] for _ in range(2)] == [1, 2]
    with pytest.raises(KeyReused):
        answers.once("me", "k", b"y", LONG, work, remember=False)


def test_of_many_at_once_one_works_and_all_get_its_answer() -> None:
    answers: Idempotency[int] = Idempotency(SystemClock())
    work, go = Counting(), threading.Event()

    def slow() -> int:
        go.wait(10)
        return work()

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(answers.once, "me", "k", b"x", LONG, slow) for _ in range(8)]
        go.set()
        found = [each.result() for each in asked]
    assert work.done == 1
    assert sorted(found) == [(1, False)] + [(1, True)] * 7


def test_who_waits_too_long_is_told_that_the_request_is_under_way() -> None:
    answers: Idempotency[int] = Idempotency(SystemClock())
    go = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(answers.once, "me", "k", b"x", LONG, lambda: int(go.wait(10)))
        while not answers._entries:
            pass
        with pytest.raises(Conflict) as waiting:
            answers.once("me", "k", b"x", Deadline(SystemClock(), 0.05), Counting())
        assert waiting.value.code == "request_under_way"
        go.set()
        assert first.result() == (1, False)


def test_the_memory_is_bounded_in_number_and_in_age() -> None:
    clock = FakeClock()
    answers: Idempotency[int] = Idempotency(clock)
    work = Counting()
    for number in range(MOST_KEYS + 50):
        answers.once("me", str(number), b"x", LONG, work)
    assert len(answers._entries) == MOST_KEYS
    last = str(MOST_KEYS + 49)
    assert answers.once("me", last, b"x", LONG, work)[1]
    clock.advance(KEY_SECONDS + 1)
    assert answers.once("me", last, b"y", LONG, work)[1] is False


@given(
    some.lists(some.tuples(some.sampled_from("ab"), some.sampled_from(["k1", "k2"]), some.sampled_from([b"x", b"y"])))
)
def test_no_answer_is_ever_given_to_another_request(asked: list[tuple[str, str, bytes]]) -> None:
    answers: Idempotency[Any] = Idempotency(FakeClock())
    for who, key, what in asked:
        try:
            found, _ = answers.once(who, key, what, LONG, lambda whole=(who, key, what): whole)
        except KeyReused:
            continue
        assert found == (who, key, what)
