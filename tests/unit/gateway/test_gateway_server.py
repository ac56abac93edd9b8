"""Figures of the server that depend on figures elsewhere."""

from __future__ import annotations

from gateway.adapters.server import GRACEFUL_SECONDS, THREADS
from gateway.settings import GatewaySettings
from gateway.usecases.limits import MOST_COMMANDS
from shared.contracts.budgets import ANSWER_SECONDS


def test_streams_and_commands_together_leave_threads_for_the_status() -> None:
    assert GatewaySettings.model_fields["max_streams"].default + MOST_COMMANDS < THREADS


def test_a_command_under_way_is_answered_before_the_process_ends() -> None:
    assert ANSWER_SECONDS < GRACEFUL_SECONDS
