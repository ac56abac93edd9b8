"""POST /api/whatsapp/persistent-session: one action, dispatched by a table and answered in the old clients' shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Blueprint, Response, request

from gateway.domain.actions import Action
from gateway.handlers import inputs, replies
from gateway.usecases import UseCases
from gateway.usecases.limits import RateLimits
from shared.clock import Clock, Deadline
from shared.contracts.budgets import ANSWER_SECONDS
from shared.contracts.errors import ServiceError
from shared.contracts.metrics import GATEWAY_ACTIONS
from shared.runtime import Metrics, get_logger

from . import PATH, outcomes
from .outcomes import Answer
from .status_renderer import StatusRenderer


@dataclass(frozen=True)
class Call:
    """One accepted request. `command_id`: the caller's Idempotency-Key, or ""."""

    use_cases: UseCases
    renderer: StatusRenderer
    session: str
    asked: inputs.ActionRequest
    command_id: str
    deadline: Deadline


def _initialize(call: Call) -> Answer:
    done = call.use_cases.initialize(call.session, call.deadline)
    return outcomes.next_step(call.renderer, done.observed, done.next_step)


def _clear(call: Call) -> Answer:
    done = call.use_cases.clear(call.session, call.deadline)
    return outcomes.next_step(call.renderer, done.observed, done.next_step)


def _health_check(call: Call) -> Answer:
    return outcomes.health_checked(call.renderer, call.use_cases.health_check(call.session, call.deadline))


def _send_test_message(call: Call) -> Answer:
    asked = call.asked
    sent = call.use_cases.send_test_message(
        call.session, asked.phone_number, asked.text, call.command_id, call.deadline
    )
    return outcomes.message_sent(sent)


def _pair_phone(call: Call) -> Answer:
    return outcomes.pairing_code(call.use_cases.pair_phone(call.session, call.asked.phone_number, call.deadline))


def _back_up(call: Call) -> Answer:
    return outcomes.backed_up(call.renderer, call.use_cases.back_up(call.session, call.deadline))


def _restore(call: Call) -> Answer:
    begun = call.use_cases.restore(call.session, call.asked.backup_id, call.deadline)
    return outcomes.restore_begun(call.renderer, begun)


def _list_backups(call: Call) -> Answer:
    return outcomes.backups_listed(call.use_cases.list_backups(call.session, call.deadline))


ACTIONS: Mapping[Action, Callable[[Call], Answer]] = {
    Action.INITIALIZE: _initialize,
    Action.CLEAR: _clear,
    Action.HEALTH_CHECK: _health_check,
    Action.SEND_TEST_MESSAGE: _send_test_message,
    Action.PAIR_PHONE: _pair_phone,
    Action.BACK_UP: _back_up,
    Action.RESTORE: _restore,
    Action.LIST_BACKUPS: _list_backups,
}
"""Every member of `Action`; a test holds the table complete."""


def blueprint(
    use_cases: UseCases, renderer: StatusRenderer, rate_limits: RateLimits, metrics: Metrics, clock: Clock
) -> Blueprint:
    routes = Blueprint("legacy_actions", __name__)
    counter = metrics.counter(GATEWAY_ACTIONS)

    def count(action: Action, code: str) -> None:
        counter.labels(action, code).inc()

    @routes.post(PATH)
    def act() -> Response:
        deadline = Deadline(clock, ANSWER_SECONDS)
        rate_limits.take_action()
        asked = inputs.action_request(request.get_data())
        if asked.action is Action.SEND_TEST_MESSAGE:
            rate_limits.take_test_message()
        session = asked.session or use_cases.read_status.default_session
        with use_cases.admission(), _recorded(asked.action, session, count):
            command_id = inputs.command_id(request.headers.get("Idempotency-Key", ""))
            answer = perform(Call(use_cases, renderer, session, asked, command_id, deadline))
        return replies.json(answer.body, answer.http_status)

    return routes


def perform(call: Call) -> Answer:
    """Raises Invalid for an action that the table does not hold."""
    action = ACTIONS.get(call.asked.action)
    if action is None:
        raise inputs.unknown_action()
    return action(call)


@contextmanager
def _recorded(action: Action, session: str, count: Callable[[Action, str], None]) -> Iterator[None]:
    """Count and log an action by its result: `ok`, or the code of its error."""
    code = "internal"
    try:
        yield
        code = "ok"
    except ServiceError as error:
        code = error.code
        raise
    finally:
        count(action, code)
        get_logger().info("action", action=action, session=session, result=code)
