"""The old clients' names and types, whatever is known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from gateway_stage import NOON, QR_TEXT, SESSION, pairing, report, status
from hypothesis import given
from hypothesis import strategies as some

from gateway.domain.fallback_verdict import verdict_without_health_service
from gateway.domain.observed import ObservedSession
from gateway.domain.system_info import SystemInfo
from gateway.handlers.legacy import serializer
from shared.contracts.errors import NotConnected
from shared.contracts.sessions import BackupsStatus, ProfileStatus, SavesStatus, SessionStatus, State
from shared.contracts.telemetry import WorkerHeartbeat

BEAT = WorkerHeartbeat(worker="worker-1", at=NOON)
SYSTEM = SystemInfo(
    session_path="./persistent-session",
    backup_path="./session-backup",
    is_railway=False,
    version="0.1.0",
    memory={"rss": 1},
    uptime=1.26,
    bus_connected=True,
)
NONE = type(None)
OLD_TYPES: dict[str, Any] = {
    "success": bool,
    "hasBackup": bool,
    "status.isConnected": bool,
    "status.isInitializing": bool,
    "status.qrCode": (str, NONE),
    "status.clientInfo": (dict, NONE),
    "status.sessionExists": bool,
    "status.sessionHealth": (dict, NONE),
    "status.lastSessionSave": (str, NONE),
    "status.reconnectAttempts": int,
    "sessionInfo.exists": bool,
    "sessionInfo.isValid": bool,
    "sessionInfo.size": float,
    "sessionInfo.lastModified": (str, NONE),
    "sessionInfo.hasBackup": bool,
    "sessionInfo.backupSize": float,
    "sessionInfo.health": (dict, NONE),
    "systemInfo.sessionPath": str,
    "systemInfo.backupPath": str,
    "systemInfo.isRailway": bool,
    "systemInfo.memory": dict,
    "systemInfo.uptime": float,
}
HEALTH_TYPES: dict[str, Any] = {
    "isValid": bool,
    "lastValidated": (str, NONE),
    "size": float,
    "hasBackup": bool,
    "criticalFiles": list,
    "missingFiles": list,
}


def at(answer: dict[str, Any], path: str) -> Any:
    found: Any = answer
    for part in path.split("."):
        found = found[part]
    return found


def observed(reported: SessionStatus | None, *, alive: bool = True, **more: Any) -> ObservedSession:
    return ObservedSession(session=SESSION, status=reported, owner=BEAT if alive else None, workers=int(alive), **more)


@pytest.mark.parametrize("reported", [None, status(), pairing(), status(profile=ProfileStatus(), saves=SavesStatus())])
@pytest.mark.parametrize("alive", [True, False])
def test_every_old_field_is_there_with_its_type(reported: SessionStatus | None, alive: bool) -> None:
    answer = serializer.status_answer(observed(reported, alive=alive), SYSTEM, None)
    for path, kind in OLD_TYPES.items():
        assert isinstance(at(answer, path), kind), path
    health = at(answer, "status.sessionHealth")
    for name, kind in HEALTH_TYPES.items() if health else ():
        assert isinstance(health[name], kind), name


@given(
    some.sampled_from([*State, "dreaming"]),
    some.booleans(),
    some.integers(min_value=0, max_value=2**50),
    some.integers(min_value=0, max_value=99),
)
def test_types_hold_for_every_state_and_size(state: str, alive: bool, size: int, attempts: int) -> None:
    reported = status(state=str(state), profile=ProfileStatus(exists=True, bytes=size), reconnect_attempts=attempts)
    answer = serializer.status_answer(observed(reported, alive=alive), SYSTEM, None)
    for path, kind in OLD_TYPES.items():
        assert isinstance(at(answer, path), kind), path
    assert answer["status"]["isConnected"] == (alive and state == State.CONNECTED)


def test_a_dead_worker_neither_connects_nor_shows_a_code() -> None:
    answer = serializer.status_answer(observed(status(), alive=False), SYSTEM, None)
    assert answer["status"]["isConnected"] is False
    assert answer["status"]["workerAlive"] is False
    answer = serializer.status_answer(observed(pairing(), alive=False), SYSTEM, "data:…")
    assert (answer["status"]["qrCode"], answer["status"]["qrImage"]) == (None, None)
    assert answer["status"]["isInitializing"] is False


def test_the_code_is_shown_only_while_pairing() -> None:
    assert serializer.status_answer(observed(pairing()), SYSTEM, "data:…")["status"]["qrCode"] == QR_TEXT
    left_over = status(pairing=pairing().pairing)
    assert serializer.status_answer(observed(left_over), SYSTEM, "data:…")["status"]["qrCode"] is None


def test_a_save_or_an_offsite_backup_counts_as_backup() -> None:
    none = {"saves": SavesStatus(), "backups": BackupsStatus()}
    for changes, expected in (
        (none, False),
        (none | {"saves": SavesStatus(count=1)}, True),
        (none | {"backups": BackupsStatus(count=1)}, True),
    ):
        answer = serializer.status_answer(observed(status(**changes)), SYSTEM, None)
        seen = {answer["hasBackup"], answer["sessionInfo"]["hasBackup"], answer["status"]["sessionHealth"]["hasBackup"]}
        assert seen == {expected}


def test_instants_are_written_as_javascript_writes_them() -> None:
    assert serializer.iso(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)) == "2026-01-02T03:04:05.678Z"
    assert serializer.iso(None) is None


def test_a_failure_says_success_false_and_why() -> None:
    assert serializer.failure(NotConnected("not connected", hint="link a phone")) == {
        "success": False,
        "error": "not connected",
        "code": "not_connected",
        "hint": "link a phone",
    }


def test_a_verdict_is_plain_strings_with_details_beside_them() -> None:
    health = serializer.health(report())
    assert health["overall"] == "warning"
    assert health["issues"] == ["The newest backup is 12 minutes old."]
    assert health["recommendations"] == ["Make a new backup."]
    assert health["recommendationDetails"][0]["action"] == "backup"
    assert health["issueDetails"][0]["textAr"]


def test_without_the_health_service_nothing_is_ever_healthy() -> None:
    assert verdict_without_health_service(observed(status()), NOON).overall == "warning"
    assert verdict_without_health_service(observed(pairing()), NOON).overall == "critical"
    assert verdict_without_health_service(observed(status(), alive=False), NOON).overall == "critical"
