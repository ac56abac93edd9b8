"""The ladder tries only what can help, slower each time, and never ends in deletion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_worker.domain.ladder import LONGEST_DELAY, Budget, Rung, Step, climb, delay, slow_delay
from browser_worker.domain.session import Fault

budgets = st.builds(Budget, attempts=st.integers(1, 20), base_delay=st.floats(0.1, 60))
jitters = st.floats(0, 1)


@given(st.integers(1, 30), budgets, jitters)
def test_a_dead_network_and_a_silent_page_are_never_answered_by_restoring(
    attempt: int, budget: Budget, jitter: float
) -> None:
    for fault in (Fault.NETWORK, Fault.PAGE, None):
        step = climb(fault, attempt, budget, jitter)
        assert step is None or step.rung is not Rung.RESTORE


@given(st.sampled_from(list(Fault)), st.integers(1, 40), budgets, jitters)
def test_the_budget_is_kept_and_the_delay_is_bounded(fault: Fault, attempt: int, budget: Budget, jitter: float) -> None:
    step = climb(fault, attempt, budget, jitter)
    assert (step is None) == (attempt > budget.attempts)
    assert 0 <= delay(fault, attempt, budget, jitter) <= LONGEST_DELAY


def test_the_delay_grows() -> None:
    waits = [delay(Fault.NETWORK, attempt, Budget(), 1.0) for attempt in range(1, 6)]
    assert waits == [5.0, 10.0, 20.0, 40.0, 80.0]


def test_a_crash_is_answered_at_once() -> None:
    step = climb(Fault.BROWSER, 1, Budget(), 1.0)
    assert step is not None
    assert (step.rung, step.delay) == (Rung.NEW_BROWSER, 0.0)


@given(st.integers(1, 20), budgets, jitters)
def test_an_older_copy_is_tried_only_when_no_browser_connects_on_this_one(
    attempt: int, budget: Budget, jitter: float
) -> None:
    for launches_since_connected in range(budget.launches + 3):
        step = climb(Fault.BROWSER, attempt, budget, jitter, launches_since_connected=launches_since_connected)
        if step is not None:
            assert (step.rung is Rung.RESTORE) == (launches_since_connected > budget.launches)


def test_the_slow_attempts_go_on_for_ever_at_a_bounded_pace() -> None:
    assert LONGEST_DELAY / 2 <= slow_delay(0.0) <= slow_delay(1.0) == LONGEST_DELAY


@given(st.integers(1, 20), st.integers(0, 30), budgets, jitters)
def test_no_copy_is_tried_when_every_copy_holds_a_revoked_login(
    attempt: int, launches: int, budget: Budget, jitter: float
) -> None:
    step = climb(Fault.BROWSER, attempt, budget, jitter, launches_since_connected=launches, may_restore=False)
    assert step is None or step.rung is Rung.NEW_BROWSER


@pytest.mark.parametrize(
    ("rung", "with_page", "without_page"),
    [
        (Rung.WAIT, (), ()),
        (Rung.RELOAD, (Step.RELOAD_PAGE,), (Step.RELAUNCH,)),
        (Rung.NEW_PAGE, (Step.REOPEN_PAGE,), (Step.RELAUNCH,)),
        (Rung.NEW_BROWSER, (Step.RELAUNCH,), (Step.RELAUNCH,)),
        (Rung.RESTORE, (Step.ASK_RESTORE,), (Step.ASK_RESTORE,)),
    ],
)
def test_a_rung_that_needs_the_page_starts_a_browser_where_none_shows_the_page(
    rung: Rung, with_page: tuple[Step, ...], without_page: tuple[Step, ...]
) -> None:
    assert (rung.steps(launched=True), rung.steps(launched=False)) == (with_page, without_page)


def test_every_rung_keeps_its_name_in_the_log_and_in_the_metrics() -> None:
    assert [rung.label for rung in Rung] == ["wait", "reload", "new_page", "new_browser", "restore"]
