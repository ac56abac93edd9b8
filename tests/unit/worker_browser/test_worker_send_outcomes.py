from __future__ import annotations

import pytest

from browser_worker.domain.sending import outcome_of_message, outcome_of_send


@pytest.mark.parametrize(
    ("ack", "result", "outcome"),
    [
        (1, "OK", "sent"),
        (0, "OK", "sent"),
        (3, "", "sent"),
        (1, "ERROR_UNKNOWN", "sent"),
        (-1, "ERROR_UNKNOWN", "failed"),
        (-1, "", "failed"),
        (0, "", "unknown"),
        (0, "ERROR_NETWORK", "unknown"),
    ],
)
def test_the_answer_to_a_send_means(ack: int, result: str, outcome: str) -> None:
    assert outcome_of_send(ack, result).outcome == outcome


def test_sent_has_at_least_the_acknowledgement_of_the_server() -> None:
    assert outcome_of_send(0, "OK").ack == 1


def test_a_failure_and_a_doubt_say_why() -> None:
    assert "ERROR_UNKNOWN" in outcome_of_send(-1, "ERROR_UNKNOWN").error
    assert "no acknowledgement" in outcome_of_send(0, "").error


@pytest.mark.parametrize(("ack", "outcome"), [(-1, "failed"), (0, "unknown"), (1, "sent"), (2, "sent"), (4, "sent")])
def test_a_message_found_later_means(ack: int, outcome: str) -> None:
    assert outcome_of_message(ack).outcome == outcome
