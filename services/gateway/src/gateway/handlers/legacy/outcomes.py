"""The outcome of each action in the old clients' shape, with its HTTP status."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.desired_state import NextStep
from gateway.domain.observed import ObservedSession
from gateway.usecases.back_up import BackupDone, BackupUnderWay
from gateway.usecases.health_check import HealthChecked
from gateway.usecases.pair_phone import PairingCodeShown
from gateway.usecases.restore import RestoreBegun
from gateway.usecases.send_test_message import MessageSent
from shared.contracts.backups import BackupEntry, Backups
from shared.contracts.errors import ServiceError

from . import serializer
from .status_renderer import StatusRenderer

ACCEPTED = 202


@dataclass(frozen=True)
class Answer:
    body: serializer.Json
    http_status: int = 200


def next_step(renderer: StatusRenderer, observed: ObservedSession, step: NextStep, *, http_status: int = 200) -> Answer:
    return Answer(renderer.render(observed) | {"message": step.message, "next": step.code}, http_status)


def health_checked(renderer: StatusRenderer, outcome: HealthChecked) -> Answer:
    probe = outcome.probe
    health = serializer.health(outcome.report)
    if isinstance(probe, ServiceError):
        message = f"Health report without the worker: {probe}"
        check = {"workerAnswered": False, "probeOk": False, "backupStarted": False}
    else:
        message = "Health check done"
        check = {"workerAnswered": True, "probeOk": probe.probe_ok, "backupStarted": probe.backup_started}
    more = {"message": message, "health": health, "healthOverall": health["overall"], "check": check}
    return Answer(renderer.render(outcome.observed) | more)


def message_sent(outcome: MessageSent) -> Answer:
    body = {
        "success": True,
        "message": "Test message was already sent" if outcome.repeated else "Test message sent",
        "messageId": outcome.message_id,
        "commandId": outcome.command_id,
        "ack": outcome.ack,
        "repeated": outcome.repeated,
    }
    return Answer(body)


def pairing_code(outcome: PairingCodeShown) -> Answer:
    body = {
        "success": True,
        "message": "Enter this code on the phone: Linked devices, Link with phone number",
        "linkCode": outcome.code,
        "validSeconds": outcome.valid_seconds,
    }
    return Answer(body)


def backed_up(renderer: StatusRenderer, outcome: BackupDone | BackupUnderWay) -> Answer:
    if isinstance(outcome, BackupUnderWay):
        step = NextStep("backing_up", "The backup is still under way; the status shows when it is done")
        return next_step(renderer, outcome.observed, step, http_status=ACCEPTED)
    match outcome.outcome:
        case "stored":
            message = "Backup stored"
        case "unchanged":
            message = "Nothing changed since the newest backup"
        case unknown:  # of a newer worker
            message = f"The backup ended: {unknown}"
    answer = next_step(renderer, outcome.observed, NextStep(outcome.outcome, message))
    return Answer(answer.body | {"backupId": outcome.backup_id})


def restore_begun(renderer: StatusRenderer, outcome: RestoreBegun) -> Answer:
    step = NextStep("restoring", outcome.detail or "The restore has begun; the status shows how it goes")
    return next_step(renderer, outcome.observed, step, http_status=ACCEPTED)


def backups_listed(backups: Backups) -> Answer:
    body = {
        "success": True,
        "message": f"Backups: {len(backups.backups)}",
        "backups": [_entry(entry) for entry in backups.backups],
        "storedSize": serializer.megabytes(backups.stored_bytes),
        "clearedAt": serializer.iso(backups.tombstoned_at),
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
