"""Outcomes in the old clients' shape."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from gateway_stage import SESSION, status

from gateway.domain.observed import ObservedSession
from gateway.handlers.legacy.actions import ACTIONS, Action, Answer, Call
from gateway.usecases.back_up import BackupDone, BackupUnderWay
from shared.clock import Deadline
from shared.contracts.budgets import ANSWER_SECONDS
from shared.testing import FakeClock

OBSERVED = ObservedSession(session=SESSION, status=status())


class PlainRenderer:
    def render(self, observed: ObservedSession) -> dict[str, Any]:
        return {"success": True}


def backed_up(outcome: BackupDone | BackupUnderWay) -> Answer:
    renderer: Any = PlainRenderer()
    use_cases: Any = SimpleNamespace(back_up=lambda _session, _deadline: outcome)
    deadline = Deadline(FakeClock(), ANSWER_SECONDS)
    return ACTIONS[Action.BACK_UP].perform(Call(use_cases, renderer, SESSION, "", deadline))


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ("stored", "Backup stored"),
        ("unchanged", "Nothing changed since the newest backup"),
        ("deferred", "The backup ended: deferred"),
    ],
)
def test_a_backups_outcome_is_named_and_an_unknown_one_is_shown_as_it_came(outcome: str, message: str) -> None:
    answer = backed_up(BackupDone(OBSERVED, outcome, "b-1"))
    assert (answer.http_status, answer.body["next"], answer.body["message"]) == (200, outcome, message)
    assert answer.body["backupId"] == "b-1"


def test_a_backup_under_way_is_accepted() -> None:
    answer = backed_up(BackupUnderWay(OBSERVED))
    assert (answer.http_status, answer.body["next"]) == (202, "backing_up")
