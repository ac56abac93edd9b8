"""Every action has its entry in the old endpoint's table. An action without an entry is refused."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.domain.actions import Action
from gateway.handlers import inputs
from gateway.handlers.legacy import actions
from shared.contracts.errors import Invalid


def call(action: Any) -> actions.Call:
    nothing: Any = None
    return actions.Call(nothing, nothing, "shop", inputs.ActionRequest(action), "", nothing)


def test_every_action_is_in_the_table_once() -> None:
    assert set(actions.ACTIONS) == set(Action)
    assert len(set(actions.ACTIONS.values())) == len(Action)


@pytest.mark.parametrize("action", [*Action, "reboot"])
def test_an_action_without_an_entry_is_refused_and_does_nothing_else(
    action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "ACTIONS", {})
    with pytest.raises(Invalid) as refused:
        actions.perform(call(action))
    assert (refused.value.code, refused.value.http_status) == ("unknown_action", 400)
