"""Every metric of this service as a row, and the samples of one moment. Names are stable: dashboards rest on them.

Labels are bounded: at most MEASURED_SESSIONS sessions, states and codes that are known, everything else is `other`.
A figure that is not known has no sample at all. Never a number, a chat or a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.errors import (
    Conflict,
    Fenced,
    Invalid,
    NotConnected,
    NotFound,
    NotRunning,
    Refused,
    TimedOut,
    TryAgain,
    Unavailable,
)
from shared.contracts.health import HealthReport, Overall
from shared.contracts.sessions import SessionStatus, State

from .case import Case
from .checks.copies import current_at
from .levels import Level
from .observation import Observation
from .samples import NatsSample
from .session_tracker import SessionTracker

MEASURED_SESSIONS = 100

GAUGE = "gauge"
COUNTER = "counter"


@dataclass(frozen=True)
class Measure:
    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


@dataclass(frozen=True)
class MetricValue:
    name: str
    labels: tuple[str, ...]
    value: float


_SESSION = ("session",)

MEASURES: tuple[Measure, ...] = (
    Measure("wa_session_state", GAUGE, ("session", "state"), "1 for the state of the session, 0 for the others."),
    Measure("wa_session_wanted", GAUGE, _SESSION, "1 when the session is wanted running."),
    Measure("wa_session_connected", GAUGE, _SESSION, "1 when the session is connected to WhatsApp."),
    Measure("wa_session_epoch", GAUGE, _SESSION, "Epoch of the owner; each takeover raises it."),
    Measure("wa_session_updated_timestamp_seconds", GAUGE, _SESSION, "When the status was last renewed."),
    Measure("wa_session_profile_bytes", GAUGE, _SESSION, "Size of the profile, caches included."),
    Measure("wa_session_memory_bytes", GAUGE, _SESSION, "Memory (PSS) of all processes of the session's browser."),
    Measure("wa_session_reconnect_attempts", GAUGE, _SESSION, "Attempts since the last stable connection."),
    Measure(
        "wa_session_start_to_connected_seconds",
        GAUGE,
        _SESSION,
        "From launching the browser to connected.",
    ),
    Measure("wa_session_read_ok", GAUGE, _SESSION, "1 when the self-check could read the page's state."),
    Measure("wa_session_send_ok", GAUGE, _SESSION, "1 when the self-check found all that sending needs."),
    Measure("wa_backup_newest_timestamp_seconds", GAUGE, _SESSION, "When the newest off-site backup was taken."),
    Measure(
        "wa_backup_current_timestamp_seconds",
        GAUGE,
        _SESSION,
        "When the newest backup was last known to hold what the profile holds (skipped as unchanged counts).",
    ),
    Measure("wa_backup_kept", GAUGE, _SESSION, "Off-site backups that are kept."),
    Measure("wa_backup_stored_bytes", GAUGE, _SESSION, "Bytes that the session's backups take off-site."),
    Measure("wa_save_newest_timestamp_seconds", GAUGE, _SESSION, "When the newest local save was taken."),
    Measure("wa_snapshot_pause_seconds", GAUGE, _SESSION, "How long the browser stood still for the newest snapshot."),
    Measure("wa_health_overall", GAUGE, ("session", "overall"), "1 for the overall verdict, 0 for the others."),
    Measure(
        "wa_health_check_level",
        GAUGE,
        ("session", "code"),
        "Level of each check: -1 unknown, 0 healthy, 1 warning, 2 critical.",
    ),
    Measure("wa_health_sessions", GAUGE, (), "Sessions that are watched."),
    Measure("wa_health_sessions_unmeasured", GAUGE, (), "Sessions beyond the bound, watched but without metrics."),
    Measure("wa_worker_up", GAUGE, (), "1 when a browser worker was heard lately."),
    Measure("wa_workers", GAUGE, (), "Browser workers that were heard lately."),
    Measure("wa_worker_disk_free_bytes", GAUGE, (), "Free space on the fullest disk of the workers."),
    Measure("wa_store_up", GAUGE, (), "1 when a backup replica was heard lately and its storage answers."),
    Measure("wa_nats_up", GAUGE, (), "1 when the monitoring page of NATS answers (only with NATS_MONITOR_URL)."),
    Measure("wa_nats_connections", GAUGE, (), "Clients connected to NATS."),
    Measure("wa_nats_slow_consumers", GAUGE, (), "Clients that NATS has cut off as too slow since it started."),
    Measure("wa_nats_memory_bytes", GAUGE, (), "Memory of the NATS server."),
    Measure("wa_nats_jetstream_storage_bytes", GAUGE, (), "Storage that JetStream uses."),
    Measure("wa_transitions_total", COUNTER, ("state",), "Changes of state of all sessions, by the state entered."),
    Measure("wa_saves_total", COUNTER, (), "Local saves made."),
    Measure("wa_restores_total", COUNTER, ("source",), "Restores made, from a save or a backup."),
    Measure("wa_backups_stored_total", COUNTER, (), "Backups stored off-site."),
    Measure("wa_backup_failures_total", COUNTER, ("code",), "Backups that failed, by the code of the error."),
    Measure("wa_clears_total", COUNTER, (), "Sessions cleared."),
)

_ERRORS = (
    Refused, Invalid, NotConnected, Conflict, NotFound, Fenced, TryAgain, NotRunning, Unavailable, TimedOut,
)  # fmt: skip

KNOWN_LABELS: dict[str, frozenset[str]] = {
    "state": frozenset(state.value for state in State),
    "source": frozenset({"save", "backup"}),
    "code": frozenset({error.code for error in _ERRORS} | {"internal"}),
}
"""The values that a label from outside may take."""
OTHER = "other"


def metric_values(tracker: SessionTracker, now: datetime) -> Iterator[MetricValue]:
    """Everything there is to measure at `now`."""
    sessions = tracker.sessions
    for session in sessions[:MEASURED_SESSIONS]:
        seen = tracker.observe(session)
        yield from session_metrics(seen, tracker.verdict(session, now), Case(seen, tracker.thresholds, now))
    yield from system_metrics(Case(tracker.observe(sessions[0]), tracker.thresholds, now), len(sessions))
    yield from event_metrics(tracker.event_counts)


def session_metrics(seen: Observation, report: HealthReport, case: Case) -> Iterator[MetricValue]:
    name = (seen.session,)
    yield from _one_hot("wa_session_state", seen.session, [state.value for state in State], case.state.value)
    yield MetricValue("wa_session_wanted", name, float(case.should_run))
    yield MetricValue("wa_session_connected", name, float(case.state is State.CONNECTED))
    yield from _one_hot("wa_health_overall", seen.session, [level.value for level in Overall], report.overall)
    for check in report.checks:
        yield MetricValue("wa_health_check_level", (seen.session, check.code), float(Level(check.level).rank))
    if seen.status is not None:
        yield from _status_metrics(seen.status, name)
    yield from _instant("wa_session_updated_timestamp_seconds", name, seen.status_seen_at)


def _one_hot(name: str, session: str, values: list[str], present: str) -> Iterator[MetricValue]:
    for value in values:
        yield MetricValue(name, (session, value), float(value == present))


def _instant(name: str, labels: tuple[str, ...], instant: datetime | None) -> Iterator[MetricValue]:
    if instant is not None:
        yield MetricValue(name, labels, instant.timestamp())


def _status_metrics(status: SessionStatus, name: tuple[str, ...]) -> Iterator[MetricValue]:
    yield MetricValue("wa_session_epoch", name, float(status.epoch))
    yield MetricValue("wa_session_reconnect_attempts", name, float(status.reconnect_attempts))
    if status.profile.exists:
        yield MetricValue("wa_session_profile_bytes", name, float(status.profile.bytes))
    yield from _browser_metrics(status, name)
    yield from _copy_metrics(status, name)


def _browser_metrics(status: SessionStatus, name: tuple[str, ...]) -> Iterator[MetricValue]:
    browser = status.browser
    if browser.memory_bytes > 0:
        yield MetricValue("wa_session_memory_bytes", name, float(browser.memory_bytes))
    if browser.connected_after_ms > 0:
        yield MetricValue("wa_session_start_to_connected_seconds", name, browser.connected_after_ms / 1000)
    if State.read(status.state) is State.CONNECTED:
        yield MetricValue("wa_session_read_ok", name, float(browser.read_ok))
        yield MetricValue("wa_session_send_ok", name, float(browser.send_ok))


def _copy_metrics(status: SessionStatus, name: tuple[str, ...]) -> Iterator[MetricValue]:
    yield from _instant("wa_save_newest_timestamp_seconds", name, status.saves.newest_at)
    if status.saves.pause_ms > 0:
        yield MetricValue("wa_snapshot_pause_seconds", name, status.saves.pause_ms / 1000)
    if status.backups.known:
        yield MetricValue("wa_backup_kept", name, float(status.backups.count))
        yield MetricValue("wa_backup_stored_bytes", name, float(status.backups.stored_bytes))
        yield from _instant("wa_backup_newest_timestamp_seconds", name, status.backups.newest_at)
        yield from _instant("wa_backup_current_timestamp_seconds", name, current_at(status.backups))


def system_metrics(case: Case, sessions: int) -> Iterator[MetricValue]:
    """What is the same for every session; any session's case tells it."""
    yield MetricValue("wa_health_sessions", (), float(sessions))
    yield MetricValue("wa_health_sessions_unmeasured", (), float(max(0, sessions - MEASURED_SESSIONS)))
    yield MetricValue("wa_worker_up", (), float(bool(case.live_workers)))
    yield MetricValue("wa_workers", (), float(len(case.live_workers)))
    if case.live_workers:
        free = min(worker.disk_free_bytes for worker in case.live_workers)
        yield MetricValue("wa_worker_disk_free_bytes", (), float(free))
    yield MetricValue("wa_store_up", (), float(any(store.store_ok for store in case.live_backup_replicas)))
    if case.seen.nats is not None:
        yield from _nats_metrics(case.seen.nats)


def _nats_metrics(nats: NatsSample) -> Iterator[MetricValue]:
    yield MetricValue("wa_nats_up", (), float(nats.reachable))
    if nats.reachable:
        yield MetricValue("wa_nats_connections", (), float(nats.connections))
        yield MetricValue("wa_nats_slow_consumers", (), float(nats.slow_consumers))
        yield MetricValue("wa_nats_memory_bytes", (), float(nats.memory_bytes))
        yield MetricValue("wa_nats_jetstream_storage_bytes", (), float(nats.storage_bytes))


def event_metrics(event_counts: Mapping[tuple[str, str], int]) -> Iterator[MetricValue]:
    """Counters, with labels from outside that are not known summed up as `other`; one that never counted is 0."""
    sums: dict[tuple[str, tuple[str, ...]], float] = {}
    for measure in MEASURES:
        if measure.kind == COUNTER and not measure.labels:
            sums[measure.name, ()] = 0.0
    labels_of = {measure.name: measure.labels for measure in MEASURES}
    for (name, value), count in event_counts.items():
        labels = tuple(value if value in KNOWN_LABELS[label] else OTHER for label in labels_of[name])
        sums[name, labels] = sums.get((name, labels), 0.0) + count
    for (name, labels), total in sums.items():
        yield MetricValue(name, labels, total)
