"""A session's facts in the words of the old system's clients: names and types of theirs stay, fields of ours are added.

Pure. Sizes are MB with two decimals as the old clients expect, instants ISO 8601 in UTC with milliseconds.
The trap: `isConnected` and the QR speak about now, so they are withheld when the worker that reported them is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.contracts.errors import ServiceError
from shared.contracts.health import CheckResult, HealthReport, Issue, Overall, Recommendation
from shared.contracts.sessions import INITIALIZING, Account, SessionStatus, State
from shared.contracts.units import MEGABYTE

from .observed import Facts

Json = dict[str, Any]


@dataclass(frozen=True)
class System:
    """The gateway's own figures: `memory` in bytes by name, `uptime` in seconds. The paths are shown until a worker has
    reported its own."""

    session_path: str
    backup_path: str
    is_railway: bool
    version: str
    memory: Mapping[str, int]
    uptime: float
    bus_connected: bool


def megabytes(size: int) -> float:
    return round(size / MEGABYTE, 2)


def iso(at: datetime | None) -> str | None:
    """`2026-11-22T14:50:20.123Z`, as JavaScript writes it."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def failure(error: ServiceError) -> Json:
    return {"success": False, "error": error.message, "code": error.code, "hint": error.hint}


def answer(facts: Facts, system: System, qr_image: str | None) -> Json:
    """The whole answer to GET, and the body of a POST that succeeded apart from its `message`."""
    health = session_health(facts.status)
    report = health_of(facts.report) if facts.report else None
    return {
        "success": True,
        "session": facts.session,
        "status": _status(facts, health, qr_image),
        "sessionInfo": _session_info(facts.status, health),
        "health": report,
        "healthOverall": report["overall"] if report else None,
        "systemInfo": _system_info(facts, system),
        "hasBackup": has_backup(facts.status),
        "history": _history(facts.status),
    }


def has_backup(status: SessionStatus | None) -> bool:
    return status is not None and (status.saves.count > 0 or status.backups.count > 0)


def session_health(status: SessionStatus | None) -> Json | None:
    """`sessionHealth` of the old clients; None while nobody has looked at the profile."""
    if status is None or (status.profile.validated_at is None and not status.profile.exists):
        return None
    profile = status.profile
    return {
        "isValid": profile.valid,
        "lastValidated": iso(profile.validated_at),
        "size": megabytes(profile.bytes),
        "hasBackup": has_backup(status),
        "criticalFiles": list(profile.critical_files),
        "missingFiles": list(profile.missing_files),
        "problems": list(profile.problems),
    }


def health_of(report: HealthReport) -> Json:
    """`health` of the old clients, with the codes, the Arabic texts and the actions beside their plain strings."""
    return {
        "overall": report.overall,
        "issues": [issue.text for issue in report.issues],
        "recommendations": [recommendation.text for recommendation in report.recommendations],
        "at": iso(report.at),
        "checks": [_check(check) for check in report.checks],
        "issueDetails": [_issue(issue) for issue in report.issues],
        "recommendationDetails": [_recommendation(each) for each in report.recommendations],
    }


def verdict_without_health_service(facts: Facts, now: datetime) -> HealthReport:
    """What the state alone allows to say, for when the health service does not answer: never better than warning."""
    level = Overall.WARNING if facts.connected else Overall.CRITICAL
    issues = [
        Issue(
            code="WA-HEALTH-ABSENT",
            level=Overall.WARNING,
            text="The health service does not answer; this verdict rests on the session's state alone.",
            text_ar="خدمة فحص الصحة لا تجيب، وهذا الحكم مبني على حالة الجلسة وحدها.",
            since=now,
        )
    ]
    if not facts.connected:
        issues.append(
            Issue(
                code="WA-STATE",
                level=Overall.CRITICAL,
                text=f"The session is not connected (state: {facts.state}).",
                text_ar=f"الجلسة غير متصلة (الحالة: {facts.state}).",
                since=facts.status.since if facts.status else now,
            )
        )
    return HealthReport(session=facts.session, at=now, overall=level, issues=tuple(issues))


def _status(facts: Facts, health: Json | None, qr_image: str | None) -> Json:
    status, alive = facts.status, facts.owner is not None
    pairing = status.pairing if status and alive and facts.state is State.PAIRING else None
    return {
        "isConnected": facts.connected,
        "isInitializing": alive and facts.state in INITIALIZING,
        "qrCode": pairing.qr if pairing else None,
        "clientInfo": _client_info(status.account) if status and status.account else None,
        "sessionExists": status.profile.exists if status else False,
        "sessionHealth": health,
        "lastSessionSave": iso(status.saves.newest_at) if status else None,
        "reconnectAttempts": status.reconnect_attempts if status else 0,
        "qrImage": qr_image if pairing else None,
        "qrAt": iso(pairing.qr_at) if pairing else None,
        "linkCode": pairing.pairing_code if pairing else None,
        "linkCodeAt": iso(pairing.pairing_code_at) if pairing else None,
        "state": status.state if status else State.STOPPED.value,
        "reason": status.reason if status else "",
        "detail": status.detail if status else "",
        "since": iso(status.since) if status else None,
        "updatedAt": iso(status.updated_at) if status else None,
        "probedAt": iso(status.probed_at) if status else None,
        "wanted": facts.record.desired if facts.record else None,
        "requested": facts.record.request if facts.record else 0,
        "carriedOut": status.request if status else 0,
        "epoch": status.epoch if status else 0,
        "worker": status.worker if status else None,
        "workerAlive": alive,
        "workersAlive": facts.workers,
        "browser": _browser(status) if status else None,
    }


def _session_info(status: SessionStatus | None, health: Json | None) -> Json:
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
        "health": health,
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
        "lastError": saves.last_error,
    }


def _backups(status: SessionStatus) -> Json:
    backups = status.backups
    return {
        "known": backups.known,
        "count": backups.count,
        "newestId": backups.newest_id,
        "newestAt": iso(backups.newest_at),
        "newestSize": megabytes(backups.newest_bytes),
        "storedSize": megabytes(backups.stored_bytes),
        "lastAttemptAt": iso(backups.last_attempt_at),
        "lastError": backups.last_error,
    }


def _browser(status: SessionStatus) -> Json:
    browser = status.browser
    return {
        "version": browser.version,
        "memory": browser.memory_bytes,
        "memoryMB": megabytes(browser.memory_bytes),
        "processes": browser.processes,
        "startedAt": iso(browser.started_at),
        "connectedAfterMs": round(browser.connected_after_ms, 1),
        "pageVersion": browser.page_version,
        "waJsVersion": browser.wa_js_version,
        "tier": browser.tier,
        "readOk": browser.read_ok,
        "sendOk": browser.send_ok,
        "missingLookups": list(browser.missing_lookups),
    }


def _client_info(account: Account) -> Json:
    """As whatsapp-web.js wrote it."""
    wid = {"server": "c.us", "user": account.number, "_serialized": f"{account.number}@c.us"}
    return {"wid": wid, "me": wid, "pushname": account.name, "platform": account.platform}


def _system_info(facts: Facts, system: System) -> Json:
    status, owner = facts.status, facts.owner
    return {
        "sessionPath": (status.session_path if status else "") or system.session_path,
        "backupPath": (status.saves_path if status else "") or system.backup_path,
        "isRailway": system.is_railway,
        "memory": dict(system.memory),
        "uptime": round(system.uptime, 1),
        "version": system.version,
        "busConnected": system.bus_connected,
        "worker": {
            "name": owner.worker,
            "memory": owner.memory_bytes,
            "uptime": round(owner.uptime_seconds, 1),
            "diskFree": owner.disk_free_bytes,
            "sessions": len(owner.sessions),
            "room": owner.free_capacity,
        }
        if owner
        else None,
    }


def _history(status: SessionStatus | None) -> list[Json]:
    """Newest first, which is how people read it."""
    if status is None:
        return []
    return [
        {"at": iso(t.at), "state": t.state, "reason": t.reason, "seconds": round(t.seconds, 1)}
        for t in reversed(status.history)
    ]


def _check(check: CheckResult) -> Json:
    return {
        "code": check.code,
        "level": check.level,
        "title": check.title,
        "titleAr": check.title_ar,
        "value": check.value,
        "limit": check.limit,
    }


def _issue(issue: Issue) -> Json:
    return {
        "code": issue.code,
        "level": issue.level,
        "text": issue.text,
        "textAr": issue.text_ar,
        "since": iso(issue.since),
    }


def _recommendation(recommendation: Recommendation) -> Json:
    return {
        "id": recommendation.id,
        "text": recommendation.text,
        "textAr": recommendation.text_ar,
        "action": recommendation.action,
        "evidence": recommendation.evidence,
    }
