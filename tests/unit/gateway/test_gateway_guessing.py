"""Who guesses keys, and how long a guesser waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.domain.addresses import network_of
from gateway.domain.guessing import MOST_NETWORKS, WAITS, WrongKeys


def test_a_few_are_answered_plainly_and_then_the_wait_grows_to_its_limit() -> None:
    wrong = WrongKeys(10)
    assert [wrong.count("a", 0.0).wait for _ in range(10)] == [0] * 10
    waits = [wrong.count("a", 0.0).wait for _ in range(20)]
    assert waits == sorted(waits)
    assert waits[0] <= 6 < waits[4]
    assert waits[-1] == WAITS.longest


def test_waiting_for_the_given_seconds_is_enough_and_quiet_heals() -> None:
    wrong = WrongKeys(2)
    for _ in range(6):
        found = wrong.count("a", 0.0)
    assert wrong.count("a", float(found.wait)).wait == 0
    assert wrong.count("a", 10_000.0).count == 1


def test_each_network_has_its_own_account() -> None:
    wrong = WrongKeys(1)
    assert [wrong.count("a", 0.0).wait > 0 for _ in range(3)] == [False, True, True]
    assert wrong.count("b", 0.0).wait == 0


def test_guessers_from_everywhere_cannot_fill_the_memory() -> None:
    wrong = WrongKeys(1)
    for number in range(MOST_NETWORKS + 500):
        wrong.count(str(number), 0.0)
    assert len(wrong._guessers) == MOST_NETWORKS


def test_news_grow_with_the_logarithm_of_the_guesses() -> None:
    wrong = WrongKeys(10)
    assert sum(wrong.count("a", 0.0).is_news for _ in range(1000)) == 10


@given(some.lists(some.floats(min_value=0, max_value=20), max_size=200))
def test_never_more_than_allowed_are_answered_plainly(pauses: list[float]) -> None:
    wrong, at, plain = WrongKeys(30), 0.0, 0
    for pause in pauses:
        at += pause
        plain += wrong.count("a", at).wait == 0
    assert plain <= 30 + at * 0.5 + 1e-6


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", "unknown"),
        ("x" * 100_000, "unknown"),
        ("1.2.3.4, 5.6.7.8", "unknown"),
    ],
)
def test_one_guesser_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


@given(some.text())
def test_no_text_of_a_proxy_breaks_it(address: str) -> None:
    assert len(network_of(address)) < 50
