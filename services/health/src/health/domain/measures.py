"""The values of every metric that this service owns (`shared.contracts.metrics`), at one moment.

Labels are bounded: at most MEASURED_SESSIONS sessions, and a state or source that is not known counts as `other`. A
figure that is not known has no value at all. No metric holds a phone number, a chat or a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from shared.contracts import metrics
from shared.contracts.health import HealthReport, Overall
from shared.contracts.metrics import Kind, Metric, MetricValue
from shared.contracts.sessions import SessionStatus, State

from .case import Case
from .checks.copies import current_at
from .levels import Level
from .observation import Observation
from .samples import NatsSample
from .session_tracker import SessionTracker

MEASURED_SESSIONS = 100

MEASURES = metrics.REGISTRY.owned_by(metrics.Owner.HEALTH)

KNOWN_LABELS: dict[str, frozenset[str]] = {
    "state": frozenset(state.value for state in State),
    "source": frozenset({"save", "backup"}),
}
"""The values that a label with text of another service may take."""
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
    yield from _one_hot(metrics.SESSION_STATE, seen.session, [state.value for state in State], case.state.value)
    yield MetricValue(metrics.SESSION_DESIRED_RUNNING, float(case.should_run), name)
    yield MetricValue(metrics.SESSION_CONNECTED, float(case.state is State.CONNECTED), name)
    yield from _one_hot(metrics.HEALTH_OVERALL, seen.session, [level.value for level in Overall], report.overall)
    for check in report.checks:
        yield MetricValue(metrics.HEALTH_CHECK_LEVEL, float(Level(check.level).rank), (seen.session, check.code))
    if seen.status is not None:
        yield from _status_metrics(seen.status, name)
    yield from _instant(metrics.SESSION_UPDATED, name, seen.status_seen_at)


def _one_hot(metric: Metric, session: str, values: list[str], present: str) -> Iterator[MetricValue]:
    for value in values:
        yield MetricValue(metric, float(value == present), (session, value))


def _instant(metric: Metric, labels: tuple[str, ...], instant: datetime | None) -> Iterator[MetricValue]:
    if instant is not None:
        yield MetricValue(metric, instant.timestamp(), labels)


def _status_metrics(status: SessionStatus, name: tuple[str, ...]) -> Iterator[MetricValue]:
    yield MetricValue(metrics.SESSION_EPOCH, float(status.epoch), name)
    yield MetricValue(metrics.SESSION_RECONNECT_ATTEMPTS, float(status.reconnect_attempts), name)
    if status.profile.exists:
        yield MetricValue(metrics.SESSION_PROFILE_BYTES, float(status.profile.bytes), name)
    yield from _browser_metrics(status, name)
    yield from _copy_metrics(status, name)


def _browser_metrics(status: SessionStatus, name: tuple[str, ...]) -> Iterator[MetricValue]:
    browser = status.browser
    if browser.memory_bytes > 0:
        yield MetricValue(metrics.SESSION_MEMORY_BYTES, float(browser.memory_bytes), name)
    if browser.connected_after_ms > 0:
        yield MetricValue(metrics.SESSION_START_TO_CONNECTED, browser.connected_after_ms / 1000, name)
    if State.read(status.state) is State.CONNECTED:
        yield MetricValue(metrics.SESSION_READ_OK, float(browser.read_ok), name)
        yield MetricValue(metrics.SESSION_SEND_OK, float(browser.send_ok), name)


def _copy_metrics(status: SessionStatus, name: tuple[str, ...]) -> Iterator[MetricValue]:
    yield from _instant(metrics.SAVE_NEWEST, name, status.saves.newest_at)
    if status.saves.pause_ms > 0:
        yield MetricValue(metrics.SNAPSHOT_PAUSE, status.saves.pause_ms / 1000, name)
    if status.backups.known:
        yield MetricValue(metrics.BACKUP_KEPT, float(status.backups.count), name)
        yield MetricValue(metrics.BACKUP_KEPT_BYTES, float(status.backups.stored_bytes), name)
        yield from _instant(metrics.BACKUP_NEWEST, name, status.backups.newest_at)
        yield from _instant(metrics.BACKUP_CURRENT, name, current_at(status.backups))


def system_metrics(case: Case, sessions: int) -> Iterator[MetricValue]:
    """What is the same for every session, taken from the case of any session."""
    yield MetricValue(metrics.HEALTH_SESSIONS, float(sessions))
    yield MetricValue(metrics.HEALTH_SESSIONS_UNMEASURED, float(max(0, sessions - MEASURED_SESSIONS)))
    yield MetricValue(metrics.WORKER_UP, float(bool(case.live_workers)))
    yield MetricValue(metrics.WORKER_INSTANCES, float(len(case.live_workers)))
    if case.live_workers:
        free = min(worker.disk_free_bytes for worker in case.live_workers)
        yield MetricValue(metrics.WORKER_DISK_FREE_BYTES, float(free))
    yield MetricValue(metrics.BACKUP_UP, float(any(replica.store_ok for replica in case.live_backup_replicas)))
    if case.seen.gateway is not None:
        yield MetricValue(metrics.GATEWAY_UP, float(case.seen.gateway.seconds is not None))
        if case.seen.gateway.seconds is not None:
            yield MetricValue(metrics.GATEWAY_ANSWER_SECONDS, case.seen.gateway.seconds)
    if case.seen.nats is not None:
        yield from _nats_metrics(case.seen.nats)


def _nats_metrics(nats: NatsSample) -> Iterator[MetricValue]:
    yield MetricValue(metrics.NATS_UP, float(nats.reachable))
    if nats.reachable:
        yield MetricValue(metrics.NATS_CONNECTIONS, float(nats.connections))
        yield MetricValue(metrics.NATS_SLOW_CONSUMERS, float(nats.slow_consumers))
        yield MetricValue(metrics.NATS_MEMORY_BYTES, float(nats.memory_bytes))
        yield MetricValue(metrics.NATS_JETSTREAM_STORAGE_BYTES, float(nats.storage_bytes))


def event_metrics(event_counts: Mapping[tuple[Metric, str], int]) -> Iterator[MetricValue]:
    """Counters. Labels that are not known are summed up as `other`; a counter without labels begins at 0."""
    sums: dict[tuple[Metric, tuple[str, ...]], float] = {
        (metric, ()): 0.0 for metric in MEASURES if metric.kind is Kind.COUNTER and not metric.labels
    }
    for (metric, value), count in event_counts.items():
        labels = tuple(value if value in KNOWN_LABELS[label] else OTHER for label in metric.labels)
        sums[metric, labels] = sums.get((metric, labels), 0.0) + count
    for (metric, labels), total in sums.items():
        yield MetricValue(metric, total, labels)
