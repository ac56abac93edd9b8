"""The worker's reasons: each is produced by somebody, explained to people, and worded on the page in both languages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import browser_worker.runner
from browser_worker.domain.details import DETAILS
from browser_worker.domain.machine import TABLE
from browser_worker.domain.session import Session
from gateway.domain import texts
from shared.contracts.sessions import Reason

RUNNER = Path(browser_worker.runner.__file__).parent
EVERY = set(Reason) - {Reason.UNKNOWN}


def reasons_of_the_machine() -> set[Reason]:
    return {Session().reason} | {rule.reason for rule in TABLE.values() if rule.reason is not None}


def reasons_of_the_runner() -> set[Reason]:
    """Those that the runner's code names."""
    trees = [ast.parse(path.read_text()) for path in RUNNER.rglob("*.py")]
    return {
        Reason[node.attr]
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    }


def test_every_reason_is_produced_by_the_machine_or_the_runner_and_they_produce_no_other() -> None:
    assert reasons_of_the_machine() | reasons_of_the_runner() == EVERY


def test_every_reason_is_explained_to_people() -> None:
    assert set(DETAILS) == EVERY
    assert all(DETAILS.values())


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_page_has_words_for_every_reason_and_for_no_other(language: str) -> None:
    worded = {key.removeprefix("reason.") for key in texts.of(language) if key.startswith("reason.")}
    assert worded == {reason.value for reason in EVERY}


def test_nothing_in_the_worker_decides_by_the_text_of_a_reason() -> None:
    """A reason that is compared with a literal would be steering by text."""
    for path in RUNNER.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                literals = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                assert not {each for each in literals if isinstance(each, str)} & _LONG, f"{path.name}:{node.lineno}"


_LONG = {reason.value for reason in EVERY if "_" in reason.value}
"""Words that nothing else in the worker uses."""
