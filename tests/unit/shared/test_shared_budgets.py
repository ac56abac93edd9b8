"""An inner budget ends before the outer one."""

from __future__ import annotations

import pytest

from shared.contracts import budgets


def test_the_budgets_are_what_the_clients_were_promised() -> None:
    assert budgets.CLIENT_LIMIT == 5.0
    assert pytest.approx(4.6) == budgets.ANSWER_SECONDS
    assert pytest.approx(4.5) == budgets.COMMAND_WAIT


def test_each_budget_fits_into_the_one_around_it() -> None:
    assert budgets.CLIENT_LIMIT > budgets.ANSWER_SECONDS > budgets.COMMAND_WAIT
    assert budgets.COMMAND_WAIT > budgets.CHECK_WAIT > budgets.PROBE_SECONDS
    assert budgets.COMMAND_WAIT - budgets.REPLY_MARGIN >= budgets.SEND_SECONDS


def test_a_health_check_that_asks_worker_and_health_service_is_answered_in_time() -> None:
    assert budgets.CHECK_WAIT + budgets.JUDGE_WAIT <= budgets.ANSWER_SECONDS
    assert budgets.JUDGE_WAIT >= 1.0


@pytest.mark.parametrize("wait", [budgets.INITIALIZE_WAIT, budgets.CLEAR_WAIT, 2 * budgets.DESIRED_STATE_WAIT])
def test_a_change_of_the_desired_state_is_answered_in_time(wait: float) -> None:
    assert 0 < wait < budgets.ANSWER_SECONDS
