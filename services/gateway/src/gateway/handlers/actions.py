"""The actions behind POST: what each one asks of whom, and within how much time. No Flask here.

Every action ends within its deadline and raises the errors of `shared.contracts.errors`. The trap: after a timeout of
a send nobody knows whether the message went out; the answer says so and is never repeated by us.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from gateway.domain import old_shape, wishes
from gateway.domain.inputs import Request
from gateway.domain.observed import Facts
from gateway.domain.refusals import WorkerGone
from shared.contracts import subjects
from shared.contracts.backups import BackupEntry, Backups, ListBackups
from shared.contracts.commands import (
    Accepted,
    BackedUp,
    BackUpNow,
    Check,
    Checked,
    PairingCode,
    PairPhone,
    RestoreNow,
    SendResult,
    SendTest,
)
from shared.contracts.errors import Conflict, NotConnected, NotRunning, ServiceError, TimedOut, TryAgain
from shared.contracts.health import HealthReport, Judge
from shared.contracts.sessions import DesiredState, SessionRecord, State

from .door import Deadline, Door

INITIALIZE_WAIT = 1.5
CLEAR_WAIT = 4.0
CHECK_WAIT = 3.0
JUDGE_WAIT = 1.5
COMMAND_WAIT = 4.5
STORE_WAIT = 1.0
"""For one look at, or one write to, the wanted states."""

Decide = Callable[[SessionRecord | None, Facts], SessionRecord | None]


class SendFailed(ServiceError):
    """WhatsApp refused the message."""

    code = "send_failed"
    http_status = 502


@dataclass(frozen=True)
class Done:
    body: old_shape.Json
    http_status: int = 200


def perform(door: Door, asked: Request, command_id: str, deadline: Deadline) -> Done:
    """Carry out `asked`; `command_id` is the caller's Idempotency-Key or ""."""
    session = asked.session or door.client_id
    if asked.action == "initialize":
        return _initialize(door, session, deadline)
    if asked.action == "clear":
        return _clear(door, session, deadline)
    if asked.action == "health-check":
        return _health_check(door, session, deadline)
    if asked.action == "send-test-message":
        return _send_test(door, session, asked, command_id, deadline)
    if asked.action == "pair-phone":
        return _pair_phone(door, session, asked, deadline)
    if asked.action == "backup":
        return _back_up(door, session, deadline)
    if asked.action == "restore":
        return _restore(door, session, asked, deadline)
    return _list_backups(door, session, deadline)


def _initialize(door: Door, session: str, deadline: Deadline) -> Done:
    now = door.clock.now()
    request = _wish(door, session, lambda record, facts: wishes.initialize(session, record, facts, now), deadline)
    _some_worker(door, session)
    wait = Deadline(door.clock, deadline.left(INITIALIZE_WAIT))
    facts = _until(door, session, lambda facts: wishes.initialize_settled(facts, request), wait)
    return _said(door, facts, wishes.after_initialize(facts, request))


def _clear(door: Door, session: str, deadline: Deadline) -> Done:
    """A refused `clear` is not kept: nobody expects a session to be wiped hours after the answer was an error."""
    _some_worker(door, session)
    now = door.clock.now()
    request = _wish(door, session, lambda record, facts: wishes.clear(session, record, facts, now), deadline)
    wait = Deadline(door.clock, deadline.left(CLEAR_WAIT))
    facts = _until(door, session, lambda facts: wishes.clear_settled(facts, request), wait)
    return _said(door, facts, wishes.CLEARED if wishes.clear_settled(facts, request) else wishes.CLEARING)


def _health_check(door: Door, session: str, deadline: Deadline) -> Done:
    facts = door.view.facts(session)
    checked, trouble = _check(door, facts, deadline) if facts.owner else (None, _gone())
    report = _judge(door, session, deadline)
    if checked is None and report is None:
        raise trouble or _gone()
    facts = door.view.facts(session)
    report = report or old_shape.verdict_without_health_service(facts, door.clock.now())
    body = door.answer(facts)
    health = old_shape.health_of(report)
    body |= {
        "message": "Health check done" if checked else f"Health report without the worker: {trouble}",
        "health": health,
        "healthOverall": health["overall"],
        "check": {
            "workerAnswered": checked is not None,
            "probeOk": checked.probe_ok if checked else False,
            "backupStarted": checked.backup_started if checked else False,
        },
    }
    return Done(body)


def _check(door: Door, facts: Facts, deadline: Deadline) -> tuple[Checked | None, ServiceError | None]:
    subject = subjects.command(subjects.CHECK, facts.session)
    try:
        return door.messenger.request(subject, Check(), Checked, timeout=deadline.left(CHECK_WAIT)), None
    except ServiceError as error:
        return None, error


def _judge(door: Door, session: str, deadline: Deadline) -> HealthReport | None:
    """A fresh verdict, else the newest one heard."""
    subject = subjects.command(subjects.JUDGE, session)
    with contextlib.suppress(ServiceError):
        return door.messenger.request(subject, Judge(), HealthReport, timeout=deadline.left(JUDGE_WAIT))
    return door.view.facts(session).report


def _send_test(door: Door, session: str, asked: Request, command_id: str, deadline: Deadline) -> Done:
    command_id = command_id or uuid.uuid4().hex
    _connected(door, session)
    message = SendTest(phone_number=asked.phone_number, text=asked.text)
    subject = subjects.command(subjects.SEND_TEST, session)
    try:
        timeout = deadline.left(COMMAND_WAIT)
        result = door.messenger.request(subject, message, SendResult, timeout=timeout, command_id=command_id)
    except TimedOut:
        raise _perhaps_sent(command_id) from None
    if result.outcome == "failed":
        raise SendFailed("WhatsApp refused the message", hint=result.error)
    if result.outcome != "sent":
        raise _perhaps_sent(command_id)
    body = {
        "success": True,
        "message": "Test message sent" if not result.repeated else "Test message was already sent",
        "messageId": result.message_id,
        "commandId": command_id,
        "ack": result.ack,
        "repeated": result.repeated,
    }
    return Done(body)


def _perhaps_sent(command_id: str) -> TimedOut:
    return TimedOut(
        "no acknowledgement in time; the message may have been sent",
        code="unknown_outcome",
        hint=f"ask with the same Idempotency-Key ({command_id}), do not send again",
    )


def _pair_phone(door: Door, session: str, asked: Request, deadline: Deadline) -> Done:
    facts = _owned(door, session)
    if facts.state is State.CONNECTED:
        raise Conflict("the session is already linked", code="already_linked", hint="clear it to link another phone")
    if facts.state is not State.PAIRING:
        raise Conflict(
            f"the session is not waiting for a phone (state: {facts.state})",
            code="not_pairing",
            hint="initialize it and wait until it shows a QR code",
        )
    subject = subjects.command(subjects.PAIR_PHONE, session)
    message = PairPhone(phone_number=asked.phone_number)
    code = door.messenger.request(subject, message, PairingCode, timeout=deadline.left(COMMAND_WAIT))
    body = {
        "success": True,
        "message": "Enter this code on the phone: Linked devices, Link with phone number",
        "linkCode": code.code,
        "validSeconds": code.valid_seconds,
    }
    return Done(body)


def _back_up(door: Door, session: str, deadline: Deadline) -> Done:
    facts = _connected(door, session)
    subject = subjects.command(subjects.BACK_UP_NOW, session)
    try:
        done = door.messenger.request(subject, BackUpNow(), BackedUp, timeout=deadline.left(COMMAND_WAIT))
    except TimedOut:
        said = wishes.Next("backing_up", "The backup is still under way; the status shows when it is done")
        return _said(door, facts, said, http_status=202)
    message = "Backup stored" if done.outcome == "stored" else "Nothing changed since the newest backup"
    result = _said(door, door.view.facts(session), wishes.Next(done.outcome, message))
    result.body["backupId"] = done.backup_id
    return result


def _restore(door: Door, session: str, asked: Request, deadline: Deadline) -> Done:
    _owned(door, session)
    subject = subjects.command(subjects.RESTORE_NOW, session)
    message = RestoreNow(backup_id=asked.backup_id)
    accepted = door.messenger.request(subject, message, Accepted, timeout=deadline.left(COMMAND_WAIT))
    said = wishes.Next("restoring", accepted.detail or "The restore has begun; the status shows how it goes")
    return _said(door, door.view.facts(session), said, http_status=202)


def _list_backups(door: Door, session: str, deadline: Deadline) -> Done:
    subject = subjects.command(subjects.LIST, session)
    try:
        timeout = deadline.left(COMMAND_WAIT)
        listed = door.messenger.request(subject, ListBackups(), Backups, timeout=timeout)
    except NotRunning:
        raise NotRunning("the backup service does not run", code="backup_service_gone") from None
    body = {
        "success": True,
        "message": f"Backups: {len(listed.backups)}",
        "backups": [_backup(backup) for backup in listed.backups],
        "storedSize": old_shape.megabytes(listed.stored_bytes),
        "clearedAt": old_shape.iso(listed.tombstoned_at),
    }
    return Done(body)


def _backup(backup: BackupEntry) -> old_shape.Json:
    return {
        "id": backup.id,
        "takenAt": old_shape.iso(backup.taken_at),
        "size": old_shape.megabytes(backup.bytes),
        "state": backup.state,
        "epoch": backup.epoch,
        "sequence": backup.sequence,
        "generation": backup.generation,
        "browserVersion": backup.browser_version,
        "keptBecause": list(backup.kept_because),
    }


def _wish(door: Door, session: str, decide: Decide, deadline: Deadline) -> int:
    """Write what `decide` wants, with CAS; the request's number that the worker has to reach."""
    for _ in range(3):
        record, revision = door.wishes.read(session, timeout=deadline.left(STORE_WAIT))
        wanted = decide(record, door.view.facts(session))
        if wanted is None:
            return record.request if record else 0
        try:
            door.wishes.write(wanted, revision, timeout=deadline.left(STORE_WAIT))
        except Conflict:
            continue
        return wanted.request
    raise TryAgain("other requests changed the session at the same time", hint="try again")


def _until(door: Door, session: str, settled: Callable[[Facts], bool], deadline: Deadline) -> Facts:
    """The facts as soon as they are `settled`, or at the deadline."""
    while True:
        version = door.view.version()
        facts = door.view.facts(session)
        left = deadline.left()
        if settled(facts) or left <= 0 or door.view.stopping:
            return facts
        door.view.wait(version, left)


def _some_worker(door: Door, session: str) -> None:
    if door.view.facts(session).workers == 0:
        raise WorkerGone(
            "no worker is running", hint="the request is kept and carried out as soon as a browser worker starts"
        )


def _owned(door: Door, session: str) -> Facts:
    """The facts of a session that a live worker owns. Raises WorkerGone, NotConnected."""
    facts = door.view.facts(session)
    if facts.owner is not None:
        return facts
    wanted = facts.record.desired if facts.record else None
    if facts.workers and facts.status is None and wanted != DesiredState.RUNNING:
        raise NotConnected("the session is not running", hint="initialize it first")
    raise _gone()


def _connected(door: Door, session: str) -> Facts:
    facts = _owned(door, session)
    if not facts.connected:
        raise NotConnected(
            f"the session is not connected to WhatsApp (state: {facts.state})",
            hint=(facts.status.detail if facts.status else "") or "initialize it and link a phone",
        )
    return facts


def _gone() -> WorkerGone:
    return WorkerGone(
        "the worker that owns the session does not answer",
        hint="another worker takes over within seconds; if not, see the browser worker's log",
    )


def _said(door: Door, facts: Facts, said: wishes.Next, *, http_status: int = 200) -> Done:
    return Done(door.answer(facts) | {"message": said.message, "next": said.code}, http_status)
