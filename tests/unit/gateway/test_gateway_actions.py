"""Every action has its entry in the old endpoint's table. An action without an entry is refused."""

from __future__ import annotations

import inspect
import json

import pytest

from gateway.handlers.legacy import actions
from gateway.handlers.legacy.actions import Action
from shared.contracts.errors import Invalid


def test_every_action_is_in_the_table_once() -> None:
    assert set(actions.ACTIONS) == set(Action)
    assert len({row.perform for row in actions.ACTIONS.values()}) == len(Action)


@pytest.mark.parametrize("action", [*Action, "reboot"])
def test_an_action_without_an_entry_is_refused_and_does_nothing_else(
    action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "ACTIONS", {})
    with pytest.raises(Invalid) as refused:
        actions.action_request(json.dumps({"action": action}).encode())
    assert (refused.value.code, refused.value.http_status) == ("unknown_action", 400)


def test_each_action_takes_as_many_fields_as_its_row_reads() -> None:
    for row in actions.ACTIONS.values():
        assert len(inspect.signature(row.perform).parameters) == 1 + len(row.reads)
