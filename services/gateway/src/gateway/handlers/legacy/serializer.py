"""An observed session in the shape of the old system's clients. Their names and types stay; our fields are added.

Pure. Sizes are MB with two decimals, as the old clients expect; instants are ISO 8601 in UTC with milliseconds.
`isConnected` and the QR code speak about the present, so both are withheld when the worker that reported them is gone.
Texts that the phone, the page or a service wrote are made fit to be shown here, once for every client.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from gateway.domain.observed import ObservedSession
from gateway.domain.system_info import SystemInfo
from shared.contracts.errors import ServiceError
from shared.contracts.foreign_text import name, shown
from shared.contracts.health import CheckResult, HealthReport, Issue, Recommendation
from shared.contracts.sessions import INITIALIZING, Account, SessionStatus, State
from shared.contracts.telemetry import WorkerHeartbeat
from shared.contracts.units import MEGABYTE

Json = dict[str, Any]


def megabytes(size: int) -> float:
    return round(size / MEGABYTE, 2)


def iso(at: datetime | None) -> str | None:
    """`2026-11-22T14:50:20.123Z`, as JavaScript writes it."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def failure(error: ServiceError) -> Json:
    return {"success": False, "error": shown(error.message), "code": error.code, "hint": shown(error.hint)}


def status_answer(observed: ObservedSession, system: SystemInfo, qr_image: str | None) -> Json:
    """The answer to GET. `qr_image`: the QR code as a data URL."""
    profile_health = session_health(observed.status)
    verdict = health(observed.report) if observed.report else None
    return {
        "success": True,
        "session": observed.session,
        "status": _status(observed, profile_health, qr_image),
        "sessionInfo": _session_info(observed.status, profile_health),
        "health": verdict,
        "healthOverall": verdict["overall"] if verdict else None,
        "systemInfo": _system_info(observed, system),
        "hasBackup": has_backup(observed.status),
        "history": _history(observed.status),
    }


def _shown(texts: Iterable[str]) -> list[str]:
    return [shown(text) for text in texts]


def has_backup(status: SessionStatus | None) -> bool:
    return status is not None and (status.saves.count > 0 or status.backups.count > 0)


def session_health(status: SessionStatus | None) -> Json | None:
    """`sessionHealth` of the old clients; None until the worker has looked at the profile."""
    if status is None or (status.profile.validated_at is None and not status.profile.exists):
        return None
    profile = status.profile
    return {
        "isValid": profile.valid,
        "lastValidated": iso(profile.validated_at),
        "size": megabytes(profile.bytes),
        "hasBackup": has_backup(status),
        "criticalFiles": _shown(profile.critical_files),
        "missingFiles": _shown(profile.missing_files),
        "problems": _shown(profile.problems),
    }


def health(report: HealthReport) -> Json:
    """`health` of the old clients: their plain strings, and beside them our codes, Arabic texts and actions."""
    return {
        "overall": report.overall,
        "issues": _shown(issue.text for issue in report.issues),
        "recommendations": _shown(recommendation.text for recommendation in report.recommendations),
        "at": iso(report.at),
        "checks": [_check(check) for check in report.checks],
        "issueDetails": [_issue(issue) for issue in report.issues],
        "recommendationDetails": [_recommendation(each) for each in report.recommendations],
    }


def _status(observed: ObservedSession, profile_health: Json | None, qr_image: str | None) -> Json:
    status, alive = observed.status, observed.owner is not None
    pairing = status.pairing if status and alive and observed.state is State.PAIRING else None
    return {
        "isConnected": observed.connected,
        "isInitializing": alive and observed.state in INITIALIZING,
        "qrCode": pairing.qr if pairing else None,
        "clientInfo": _client_info(status.account) if status and status.account else None,
        "sessionExists": status.profile.exists if status else False,
        "sessionHealth": profile_health,
        "lastSessionSave": iso(status.saves.newest_at) if status else None,
        "reconnectAttempts": status.reconnect_attempts if status else 0,
        "qrImage": qr_image if pairing else None,
        "qrAt": iso(pairing.qr_at) if pairing else None,
        "linkCode": pairing.pairing_code if pairing else None,
        "linkCodeAt": iso(pairing.pairing_code_at) if pairing else None,
        "state": name(status.state) if status else State.STOPPED.value,
        "reason": name(status.reason) if status else "",
        "detail": shown(status.detail) if status else "",
        "since": iso(status.since) if status else None,
        "updatedAt": iso(status.updated_at) if status else None,
        "probedAt": iso(status.probed_at) if status else None,
        "wanted": observed.record.desired if observed.record else None,
        "requested": observed.record.request if observed.record else 0,
        "carriedOut": status.request if status else 0,
        "epoch": status.epoch if status else 0,
        "worker": name(status.worker) if status else None,
        "workerAlive": alive,
        "workersAlive": observed.workers,
        "browser": _browser(status) if status else None,
    }


def _session_info(status: SessionStatus | None, profile_health: Json | None) -> Json:
    if status is None:
        return {
            "exists": False, "isValid": False, "size": 0.0, "lastModified": None, "hasBackup": False,
            "backupSize": 0.0, "health": None, "saves": None, "backups": None,
        }  # fmt: skip
    return {
        "exists": status.profile.exists,
        "isValid": status.profile.valid,
        "size": megabytes(status.profile.bytes),
        "lastModified": iso(status.profile.modified_at),
        "hasBackup": has_backup(status),
        "backupSize": megabytes(status.backups.newest_bytes or status.saves.newest_bytes),
        "health": profile_health,
        "saves": _saves(status),
        "backups": _backups(status),
    }


def _saves(status: SessionStatus) -> Json:
    saves = status.saves
    return {
        "count": saves.count,
        "newestAt": iso(saves.newest_at),
        "newestSize": megabytes(saves.newest_bytes),
        "size": megabytes(saves.bytes),
        "pauseMs": round(saves.pause_ms, 1),
        "lastError": shown(saves.last_error),
    }


def _backups(status: SessionStatus) -> Json:
    backups = status.backups
    return {
        "known": backups.known,
        "seenAt": iso(backups.seen_at),
        "count": backups.count,
        "newestId": backups.newest_id,
        "newestAt": iso(backups.newest_at),
        "newestSize": megabytes(backups.newest_bytes),
        "storedSize": megabytes(backups.stored_bytes),
        "lastAttemptAt": iso(backups.last_attempt_at),
        "lastError": shown(backups.last_error),
    }


def _browser(status: SessionStatus) -> Json:
    browser = status.browser
    return {
        "version": name(browser.version),
        "memory": browser.memory_bytes,
        "memoryMB": megabytes(browser.memory_bytes),
        "processes": browser.processes,
        "startedAt": iso(browser.started_at),
        "connectedAfterMs": round(browser.connected_after_ms, 1),
        "pageVersion": name(browser.page_version),
        "waJsVersion": name(browser.wa_js_version),
        "tier": browser.tier,
        "readOk": browser.read_ok,
        "sendOk": browser.send_ok,
        "missingLookups": _shown(browser.missing_lookups),
    }


def _client_info(account: Account) -> Json:
    """`clientInfo` as whatsapp-web.js writes it."""
    number = name(account.number)
    wid = {"server": "c.us", "user": number, "_serialized": f"{number}@c.us"}
    return {"wid": wid, "me": wid, "pushname": name(account.name), "platform": name(account.platform)}


def _system_info(observed: ObservedSession, system: SystemInfo) -> Json:
    status, owner = observed.status, observed.owner
    return {
        "sessionPath": (shown(status.session_path) if status else "") or system.session_path,
        "backupPath": (shown(status.saves_path) if status else "") or system.backup_path,
        "isRailway": system.is_railway,
        "memory": dict(system.memory),
        "uptime": round(system.uptime, 1),
        "version": system.version,
        "busConnected": system.bus_connected,
        "worker": _worker(owner) if owner else None,
    }


def _worker(owner: WorkerHeartbeat) -> Json:
    return {
        "name": name(owner.worker),
        "memory": owner.memory_bytes,
        "uptime": round(owner.uptime_seconds, 1),
        "diskFree": owner.disk_free_bytes,
        "sessions": len(owner.sessions),
        "room": owner.free_capacity,
    }


def _history(status: SessionStatus | None) -> list[Json]:
    """Newest first, because that is how people read a history."""
    if status is None:
        return []
    return [
        {"at": iso(t.at), "state": name(t.state), "reason": name(t.reason), "seconds": round(t.seconds, 1)}
        for t in reversed(status.history)
    ]


def _check(check: CheckResult) -> Json:
    return {
        "code": check.code,
        "level": check.level,
        "title": shown(check.title),
        "titleAr": shown(check.title_ar),
        "value": shown(check.value),
        "limit": shown(check.limit),
    }


def _issue(issue: Issue) -> Json:
    return {
        "code": issue.code,
        "level": issue.level,
        "text": shown(issue.text),
        "textAr": shown(issue.text_ar),
        "since": iso(issue.since),
    }


def _recommendation(recommendation: Recommendation) -> Json:
    return {
        "id": recommendation.id,
        "text": shown(recommendation.text),
        "textAr": shown(recommendation.text_ar),
        "action": recommendation.action,
        "evidence": shown(recommendation.evidence),
    }
