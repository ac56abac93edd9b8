"""Figures of the server that depend on figures elsewhere."""

from __future__ import annotations

from gateway.adapters.server import GRACEFUL_SECONDS, MOST_FILES, RESERVED_FILES
from gateway.adapters.worker import Limits
from gateway.settings import GatewaySettings
from gateway.usecases.limits import MOST_COMMANDS
from shared.contracts.budgets import ANSWER_SECONDS


def test_streams_and_commands_together_leave_files_for_the_status() -> None:
    most_streams = GatewaySettings.model_json_schema()["properties"]["max_streams"]["maximum"]
    assert most_streams + MOST_COMMANDS <= RESERVED_FILES
    assert RESERVED_FILES + Limits.waiting < MOST_FILES


def test_a_command_under_way_is_answered_before_the_process_ends() -> None:
    assert ANSWER_SECONDS < GRACEFUL_SECONDS
