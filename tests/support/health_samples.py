"""Observations for the tests of health: one in which everything is well, changes to it, and random ones."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType, ModuleType
from typing import Any

import msgspec
from hypothesis import strategies as st

from health.domain import checks
from health.domain.case import Case
from health.domain.checks import CHECKS
from health.domain.finding import Problem
from health.domain.observation import Observation
from health.domain.samples import (
    BackupReplicaSample,
    DuplicateOwner,
    GatewaySample,
    LostBackups,
    NatsSample,
    RejectedRecord,
    WorkerSample,
)
from health.domain.thresholds import Thresholds
from health.domain.verdict import judge
from shared.contracts.health import CheckResult, HealthReport
from shared.contracts.sessions import (
    Account,
    BackupsStatus,
    BrowserStatus,
    ProfileStatus,
    Reason,
    SavesStatus,
    SessionRecord,
    SessionStatus,
    State,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LIMITS = Thresholds()
MB = 1024 * 1024
SESSION = "shop"
WORKER = "worker-a"
NUMBER = "201234567890"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def status(**changes: Any) -> SessionStatus:
    """Connected for an hour, with nothing wrong."""
    found: dict[str, Any] = {
        "session": SESSION,
        "state": State.CONNECTED.value,
        "reason": "connected",
        "since": ago(3600),
        "updated_at": ago(3),
        "epoch": 4,
        "worker": WORKER,
        "account": Account(number=NUMBER, name="A name"),
        "profile": ProfileStatus(exists=True, valid=True, bytes=60 * MB, validated_at=ago(30), critical_files=("one",)),
        "saves": SavesStatus(count=3, newest_at=ago(60), newest_bytes=20 * MB, bytes=60 * MB, pause_ms=24.5),
        "backups": BackupsStatus(
            known=True,
            seen_at=ago(100),
            count=12,
            newest_id="b",
            newest_at=ago(120),
            newest_bytes=20 * MB,
            stored_bytes=90 * MB,
        ),
        "browser": BrowserStatus(
            version="156.0.8078.79",
            memory_bytes=270 * MB,
            processes=6,
            connected_after_ms=940.0,
            page_version="2.3000.1",
            wa_js_version="4.6.0",
            tier="wa-js",
            read_ok=True,
            send_ok=True,
        ),
        "probed_at": ago(4),
    }
    return SessionStatus(**(found | changes))


def record(desired: str = "running", asked: float = 4000.0) -> SessionRecord:
    return SessionRecord(session=SESSION, desired=desired, requested_at=ago(asked))


def worker(**changes: Any) -> WorkerSample:
    found: dict[str, Any] = {
        "worker": WORKER,
        "seen_at": ago(1),
        "free_capacity": 3,
        "disk_free_bytes": 9000 * MB,
        "holding_since": ago(3600),
    }
    return WorkerSample(**(found | changes))


def backup_replica(**changes: Any) -> BackupReplicaSample:
    found: dict[str, Any] = {"instance": "backup-1", "seen_at": ago(2), "store_ok": True}
    return BackupReplicaSample(**(found | changes))


WELL = Observation(
    session=SESSION,
    status=status(),
    status_seen_at=ago(3),
    record=record(),
    workers=(worker(),),
    backup_replicas=(backup_replica(),),
    nats=NatsSample(
        seen_at=ago(2), connections=5, memory_bytes=20 * MB, storage_bytes=MB, storage_limit_bytes=900 * MB
    ),
    gateway=GatewaySample(seen_at=ago(2), seconds=0.012),
    listening_since=ago(7200),
)
"""Every check is healthy."""


def with_status(seen: Observation = WELL, **changes: Any) -> Observation:
    found = seen.status or status()
    return replace(seen, status=msgspec.structs.replace(found, **changes))


def with_profile(seen: Observation = WELL, **changes: Any) -> Observation:
    found = seen.status or status()
    return with_status(seen, profile=msgspec.structs.replace(found.profile, **changes))


def with_saves(seen: Observation = WELL, **changes: Any) -> Observation:
    found = seen.status or status()
    return with_status(seen, saves=msgspec.structs.replace(found.saves, **changes))


def with_backups(seen: Observation = WELL, **changes: Any) -> Observation:
    found = seen.status or status()
    return with_status(seen, backups=msgspec.structs.replace(found.backups, **changes))


def with_browser(seen: Observation = WELL, **changes: Any) -> Observation:
    found = seen.status or status()
    return with_status(seen, browser=msgspec.structs.replace(found.browser, **changes))


def in_state(state: str, reason: str = "", for_seconds: float = 5.0, seen: Observation = WELL) -> Observation:
    return with_status(seen, state=state, reason=reason or state, since=ago(for_seconds))


def verdict(seen: Observation, now: datetime = NOW) -> HealthReport:
    return judge(seen, LIMITS, now)


def check(seen: Observation, code: str, now: datetime = NOW) -> CheckResult:
    return next(each for each in verdict(seen, now).checks if each.code == code)


def problem(seen: Observation, code: str) -> str:
    """Which problem the check of this code finds; empty for none."""
    case = Case(seen, LIMITS, NOW)
    found = next(each for each in CHECKS if each.code == code).examine(case).problem
    return found.id if found else ""


def recommended(seen: Observation) -> dict[str, str]:
    """Id → action of the recommendations."""
    return {each.id: each.action for each in verdict(seen).recommendations}


# the modules of checks, found on disk: a module that `checks/__init__.py` forgets is here all the same
CHECK_MODULES: tuple[ModuleType, ...] = tuple(
    importlib.import_module(f"{checks.__name__}.{each.name}") for each in pkgutil.iter_modules(checks.__path__)
)


def problems() -> list[Problem]:
    """Every problem that a module of checks defines."""
    return [value for module in CHECK_MODULES for value in vars(module).values() if isinstance(value, Problem)]


# random ones
_ages = st.one_of(st.floats(-600, 10), st.floats(0, 7200), st.floats(0, 10_000_000)).map(ago)
_maybe_ages = st.none() | _ages
_texts = st.one_of(
    st.sampled_from(["", *Reason]),
    st.text(max_size=40),
    st.just(f"call +{NUMBER} now"),
)
_bytes = st.one_of(st.integers(0, 4000 * MB), st.sampled_from([0, -1, 2**70]))
_states = st.one_of(st.sampled_from([state.value for state in State]), st.text(max_size=10))
_names = st.sampled_from([WORKER, "worker-b", "worker-c"])

_profiles = st.builds(
    ProfileStatus,
    exists=st.booleans(),
    valid=st.booleans(),
    bytes=_bytes,
    validated_at=_maybe_ages,
    missing_files=st.lists(_texts, max_size=7).map(tuple),
    problems=st.lists(_texts, max_size=7).map(tuple),
)
_saves = st.builds(SavesStatus, count=st.integers(0, 3), newest_at=_maybe_ages, pause_ms=st.floats(0, 1e6))
_backups = st.builds(
    BackupsStatus,
    known=st.booleans(),
    seen_at=_maybe_ages,
    count=st.integers(0, 50),
    newest_at=_maybe_ages,
    last_attempt_at=_maybe_ages,
    last_error=_texts,
)
_browsers = st.builds(
    BrowserStatus,
    memory_bytes=_bytes,
    page_version=_texts,
    read_ok=st.booleans(),
    send_ok=st.booleans(),
    missing_lookups=st.lists(_texts, max_size=3).map(tuple),
)
statuses = st.builds(
    SessionStatus,
    session=st.just(SESSION),
    state=_states,
    reason=_texts,
    since=_ages,
    updated_at=_ages,
    epoch=st.integers(0, 2**40),
    worker=_names,
    detail=_texts,
    account=st.none() | st.just(Account(number=NUMBER)),
    profile=_profiles,
    saves=_saves,
    backups=_backups,
    browser=_browsers,
    reconnect_attempts=st.integers(-1, 2000),
    probed_at=_maybe_ages,
)
_records = st.builds(
    SessionRecord,
    session=st.just(SESSION),
    desired=st.one_of(st.sampled_from(["running", "stopped", "cleared"]), st.text(max_size=5)),
    requested_at=_ages,
)
_workers = st.builds(
    WorkerSample,
    worker=_names,
    seen_at=_ages,
    free_capacity=st.integers(-1, 4),
    disk_free_bytes=_bytes,
    holding_since=_maybe_ages,
)
_backup_replicas = st.builds(
    BackupReplicaSample,
    instance=_names,
    seen_at=_ages,
    store_ok=st.booleans(),
    store_error=_texts,
    store_down_since=_maybe_ages,
)
_nats = st.builds(
    NatsSample,
    seen_at=_ages,
    reachable=st.booleans(),
    jetstream=st.booleans(),
    new_slow_consumers=st.integers(-1, 9),
    storage_bytes=_bytes,
    storage_limit_bytes=_bytes,
)
_gateways = st.builds(GatewaySample, seen_at=_ages, seconds=st.none() | st.floats(0, 10), late_since=_maybe_ages)
observations = st.builds(
    Observation,
    session=st.just(SESSION),
    status=st.none() | statuses,
    status_seen_at=_maybe_ages,
    record=st.none() | _records,
    workers=st.lists(_workers, max_size=3, unique_by=lambda each: each.worker).map(tuple),
    backup_replicas=st.lists(_backup_replicas, max_size=2, unique_by=lambda each: each.instance).map(tuple),
    takeovers=st.lists(_ages, max_size=9).map(sorted).map(tuple),
    duplicate_owners=st.lists(
        st.builds(DuplicateOwner, worker=_names, seen_at=_ages, same_epoch=st.booleans()), max_size=2
    ).map(tuple),
    lost_backups=st.none() | st.builds(LostBackups, st.integers(1, 60), st.integers(0, 60), _ages),
    rejected_records=st.lists(
        st.builds(RejectedRecord, st.sampled_from(["head", "tombstone", "x"]), _texts, _ages), max_size=2
    ).map(tuple),
    nats=st.none() | _nats,
    gateway=st.none() | _gateways,
    listening_since=_maybe_ages,
    open_since=st.dictionaries(st.sampled_from([each.code for each in CHECKS]), _ages, max_size=4).map(
        MappingProxyType
    ),
)
