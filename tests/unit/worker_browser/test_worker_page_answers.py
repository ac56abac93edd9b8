"""The answers of the scripts in the page, and what the worker makes of each: no answer falls through in silence."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import get_args

import pytest

from browser_worker.adapters.browser.page_driver import Action, _send_outcome
from browser_worker.domain import sending
from shared.contracts.commands import SendFailure

PAGE = files("browser_worker.adapters.browser") / "page"
BEFORE_THE_SEND = {"ready", "connected", "number", "late"}


def steps_of_the_script() -> set[str]:
    return set(re.findall(r"step: '(\w+)'", (PAGE / "send.js").read_text()))


def test_every_step_of_the_send_script_has_a_meaning() -> None:
    assert steps_of_the_script() == BEFORE_THE_SEND | {"sent", "doubt", "failed"}
    assert set(sending.STEPS) == BEFORE_THE_SEND
    assert set(sending.STEPS.values()) | {SendFailure.PAGE_ELSEWHERE} == set(sending.STOPPED_AT)


@pytest.mark.parametrize("step", sorted(BEFORE_THE_SEND))
def test_a_stop_before_the_send_is_a_failure(step: str) -> None:
    failure = sending.STEPS[step]
    assert _send_outcome({"step": step}) == sending.failed(sending.STOPPED_AT[failure], failure=failure)


def test_a_send_that_the_page_refused_is_a_failure() -> None:
    assert _send_outcome({"step": "failed", "error": "x"}).outcome == "failed"


@pytest.mark.parametrize("answer", [{}, {"step": "new"}, {"step": None, "ack": 1}])
def test_an_answer_that_is_not_known_may_be_a_message_that_was_sent(answer: dict[str, object]) -> None:
    assert _send_outcome(answer).outcome == "unknown"


def test_the_script_has_every_action_that_the_worker_can_ask_for() -> None:
    text = (PAGE / "actions.js").read_text()
    assert set(re.findall(r"^  (\w+): \(\) => \{$", text, re.MULTILINE)) == set(get_args(Action))
