"""POST /api/whatsapp/persistent-session: one action, dispatched by a table and answered in the old clients' shape.

An action is one function, which calls its use case and renders the outcome, and one row of `ACTIONS`, which names the
fields of the body that the action needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from flask import Blueprint, Response, g, request

from gateway.domain.desired_state import NextStep
from gateway.domain.observed import ObservedSession
from gateway.handlers import inputs, replies
from gateway.usecases import UseCases
from gateway.usecases.back_up import BackupUnderWay
from gateway.usecases.idempotency import Idempotency
from gateway.usecases.limits import RateLimits
from shared.clock import Clock, Deadline
from shared.contracts.backups import BackupEntry
from shared.contracts.budgets import ANSWER_SECONDS
from shared.contracts.errors import Invalid, ServiceError
from shared.contracts.metrics import GATEWAY_ACTIONS
from shared.runtime import Metrics, get_logger

from . import PATH, serializer
from .status_renderer import StatusRenderer

ACCEPTED = 202


class Action(StrEnum):
    """What a client may ask for, by the names that the old clients and the page send."""

    INITIALIZE = "initialize"
    CLEAR = "clear"
    HEALTH_CHECK = "health-check"
    SEND_TEST_MESSAGE = "send-test-message"
    PAIR_PHONE = "pair-phone"
    BACK_UP = "backup"
    RESTORE = "restore"
    LIST_BACKUPS = "backups"


@dataclass(frozen=True)
class Call:
    """One accepted request. `command_id`: the caller's Idempotency-Key, or ""."""

    use_cases: UseCases
    renderer: StatusRenderer
    session: str
    command_id: str
    deadline: Deadline


@dataclass(frozen=True)
class Answer:
    body: serializer.Json
    http_status: int = 200


def _initialize(call: Call) -> Answer:
    done = call.use_cases.initialize(call.session, call.deadline)
    return _next_step(call, done.observed, done.next_step)


def _clear(call: Call) -> Answer:
    done = call.use_cases.clear(call.session, call.deadline)
    return _next_step(call, done.observed, done.next_step)


def _health_check(call: Call) -> Answer:
    checked = call.use_cases.health_check(call.session, call.deadline)
    probe, health = checked.probe, serializer.health(checked.report)
    if isinstance(probe, ServiceError):
        message = f"Health report without the worker: {probe}"
        check = {"workerAnswered": False, "probeOk": False, "backupStarted": False}
    else:
        message = "Health check done"
        check = {"workerAnswered": True, "probeOk": probe.probe_ok, "backupStarted": probe.backup_started}
    more = {"message": message, "health": health, "healthOverall": health["overall"], "check": check}
    return Answer(call.renderer.render(checked.observed) | more)


def _send_test_message(call: Call, phone_number: str, text: str) -> Answer:
    sent = call.use_cases.send_test_message(call.session, phone_number, text, call.command_id, call.deadline)
    body = {
        "success": True,
        "message": "Test message was already sent" if sent.repeated else "Test message sent",
        "messageId": sent.message_id,
        "commandId": sent.command_id,
        "ack": sent.ack,
        "repeated": sent.repeated,
    }
    return Answer(body)


def _pair_phone(call: Call, phone_number: str) -> Answer:
    shown = call.use_cases.pair_phone(call.session, phone_number, call.deadline)
    body = {
        "success": True,
        "message": "Enter this code on the phone: Linked devices, Link with phone number",
        "linkCode": shown.code,
        "validSeconds": shown.valid_seconds,
    }
    return Answer(body)


def _back_up(call: Call) -> Answer:
    done = call.use_cases.back_up(call.session, call.deadline)
    if isinstance(done, BackupUnderWay):
        step = NextStep("backing_up", "The backup is still under way; the status shows when it is done")
        return _next_step(call, done.observed, step, http_status=ACCEPTED)
    match done.outcome:
        case "stored":
            message = "Backup stored"
        case "unchanged":
            message = "Nothing changed since the newest backup"
        case unknown:  # of a newer worker
            message = f"The backup ended: {unknown}"
    answer = _next_step(call, done.observed, NextStep(done.outcome, message))
    return Answer(answer.body | {"backupId": done.backup_id})


def _restore(call: Call, backup_id: str) -> Answer:
    begun = call.use_cases.restore(call.session, backup_id, call.deadline)
    step = NextStep("restoring", begun.detail or "The restore has begun; the status shows how it goes")
    return _next_step(call, begun.observed, step, http_status=ACCEPTED)


def _list_backups(call: Call) -> Answer:
    found = call.use_cases.list_backups(call.session, call.deadline)
    body = {
        "success": True,
        "message": f"Backups: {len(found.backups)}",
        "backups": [_entry(entry) for entry in found.backups],
        "storedSize": serializer.megabytes(found.stored_bytes),
        "clearedAt": serializer.iso(found.tombstoned_at),
        "clearUnknown": found.tombstone_unverified,
    }
    return Answer(body)


def _entry(entry: BackupEntry) -> serializer.Json:
    return {
        "id": entry.id,
        "takenAt": serializer.iso(entry.taken_at),
        "size": serializer.megabytes(entry.bytes),
        "state": entry.state,
        "epoch": entry.epoch,
        "sequence": entry.sequence,
        "generation": entry.generation,
        "browserVersion": entry.browser_version,
        "keptBecause": list(entry.kept_because),
    }


def _next_step(call: Call, observed: ObservedSession, step: NextStep, *, http_status: int = 200) -> Answer:
    return Answer(call.renderer.render(observed) | {"message": step.message, "next": step.code}, http_status)


@dataclass(frozen=True)
class Row:
    """`perform` is called with the call and what each function of `reads` finds in the body, in their order.
    `remembered`: a repeated Idempotency-Key gets the remembered answer; else the action knows its own repetitions."""

    perform: Callable[..., Answer]
    reads: tuple[Callable[[inputs.Fields], str], ...] = ()
    remembered: bool = True


ACTIONS: Mapping[Action, Row] = {
    Action.INITIALIZE: Row(_initialize),
    Action.CLEAR: Row(_clear),
    Action.HEALTH_CHECK: Row(_health_check),
    Action.SEND_TEST_MESSAGE: Row(
        # The worker's outbox repeats the answer, also after a restart, and looks an unknown outcome up once more.
        _send_test_message,
        reads=(inputs.phone_number, inputs.message),
        remembered=False,
    ),
    Action.PAIR_PHONE: Row(_pair_phone, reads=(inputs.phone_number,)),
    Action.BACK_UP: Row(_back_up),
    Action.RESTORE: Row(_restore, reads=(inputs.backup_id,)),
    Action.LIST_BACKUPS: Row(_list_backups),
}
"""Every member of `Action`; a test holds the table complete."""
_HINT = f"one of: {', '.join(Action)}"


@dataclass(frozen=True)
class ActionRequest:
    """What a POST's body asks for. `session` is "" for the default session; `values` are the fields of the action."""

    action: Action
    session: str
    values: tuple[str, ...]

    @property
    def row(self) -> Row:
        return ACTIONS[self.action]

    def perform(self, call: Call) -> Answer:
        return self.row.perform(call, *self.values)


def action_request(data: bytes) -> ActionRequest:
    """Raises Invalid, also for an action that the table does not hold."""
    fields = inputs.body(data)
    name = fields.get("action")
    if name is None or name == "":
        raise Invalid("the field action is missing", code="missing_action", hint=_HINT)
    try:
        action = Action(name)
        row = ACTIONS[action]
    except (ValueError, KeyError):
        raise Invalid("unknown action", code="unknown_action", hint=_HINT) from None
    session = inputs.session(inputs.text(fields, "session"))
    return ActionRequest(action, session, tuple(read(fields) for read in row.reads))


def blueprint(
    use_cases: UseCases, renderer: StatusRenderer, rate_limits: RateLimits, metrics: Metrics, clock: Clock
) -> Blueprint:
    routes = Blueprint("legacy_actions", __name__)
    counter = metrics.counter(GATEWAY_ACTIONS)
    answers: Idempotency[Answer] = Idempotency(clock)

    def count(action: Action, code: str) -> None:
        counter.labels(action, code).inc()

    @routes.post(PATH)
    def act() -> Response:
        deadline = Deadline(clock, ANSWER_SECONDS)
        rate_limits.take_action()
        asked = action_request(request.get_data())
        if asked.action is Action.SEND_TEST_MESSAGE:
            rate_limits.take_test_message()
        session = asked.session or use_cases.read_status.default_session
        with _recorded(asked.action, session, count):
            key = inputs.command_id(request.headers.get("Idempotency-Key", ""))
            call = Call(use_cases, renderer, session, key, deadline)

            def perform() -> Answer:
                with use_cases.admission():
                    return asked.perform(call)

            if not key:
                answer, is_earlier = perform(), False
            else:
                whole = msgspec.json.encode((asked.action, session, asked.values))
                answer, is_earlier = answers.once(
                    g.principal, key, whole, deadline, perform, remember=asked.row.remembered
                )
        response = replies.json(answer.body, answer.http_status)
        if is_earlier:
            response.headers["Idempotent-Replayed"] = "true"
        return response

    return routes


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
