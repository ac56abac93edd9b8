"""The registry of metrics: each metric of the product once, with its name, help, unit, labels and owner.

A service makes its Prometheus objects from these entries (`shared.runtime.Metrics`), so a name that is not here cannot
be exported. `docs/metrics.md` is written from here, and dashboards and alerts read their names from here.

How to add a metric:

1. Add one line to the section of the service that owns the fact:
   `GATEWAY_WRONG_KEYS = REGISTRY.counter(
    "wa_gateway_wrong_keys_total",
    "Wrong keys that were presented, by where they came: header, login, metrics.",
    owner=Owner.GATEWAY,
    labels=("source",),
)
GATEWAY_STREAMS = REGISTRY.gauge("wa_gateway_streams", "Open event streams.", owner=Owner.GATEWAY)`.
   A name is `wa_<area>_<what>[_<unit>]` in base units; a counter ends in `_total`. A wrong or repeated name raises
   ValueError at the import.
2. Export the metric in the service: `metrics.gauge(GATEWAY_STREAMS)` gives the object of prometheus_client.
   `metrics.computed((A, B), read)` calls `read` at each scrape instead, and exports the `MetricValue`s that it returns.
3. Run `make docs`. `tests/contract/shared/test_shared_metrics_exported.py` fails until the owner exports the metric.

Each fact has one owner. Health owns what is known of a session from its status and its events, because health is one
process and sees every session. A service owns the counts of its own work; a worker counts its attempts, the backup
service what it stored. Labels are bounded: no phone number, no chat,
no text from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Unit(StrEnum):
    """The last word of a metric's name. NONE: a plain number, a flag (1 or 0) or an ordinal."""

    NONE = ""
    SECONDS = "seconds"
    BYTES = "bytes"


class Owner(StrEnum):
    """The service that exports a metric. EVERY_SERVICE: `shared.runtime.Metrics` exports it in each process."""

    GATEWAY = "gateway"
    BROWSER_WORKER = "browser-worker"
    BACKUP = "backup"
    HEALTH = "health"
    EVERY_SERVICE = "every service"


@dataclass(frozen=True)
class Metric:
    """`buckets`: upper bounds of a histogram, in `unit`."""

    name: str
    kind: Kind
    help: str
    owner: Owner
    labels: tuple[str, ...] = ()
    unit: Unit = Unit.NONE
    buckets: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        """The name without `_total`, as Prometheus names the family of a counter."""
        return self.name.removesuffix("_total")


@dataclass(frozen=True)
class MetricValue:
    """One figure of a metric; `labels` are the values, in the order of `metric.labels`."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


class MetricRegistry:
    """Refuses a name that is used twice or is not built as the others."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric] = {}

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._metrics.values())

    def __contains__(self, metric: object) -> bool:
        return isinstance(metric, Metric) and self._metrics.get(metric.family) is metric

    def owned_by(self, owner: Owner) -> tuple[Metric, ...]:
        return tuple(metric for metric in self if metric.owner is owner)

    def counter(
        self, name: str, help: str, *, owner: Owner, labels: tuple[str, ...] = (), unit: Unit = Unit.NONE
    ) -> Metric:
        return self._add(Metric(name, Kind.COUNTER, help, owner, labels, unit))

    def gauge(
        self, name: str, help: str, *, owner: Owner, labels: tuple[str, ...] = (), unit: Unit = Unit.NONE
    ) -> Metric:
        return self._add(Metric(name, Kind.GAUGE, help, owner, labels, unit))

    def histogram(
        self,
        name: str,
        help: str,
        *,
        owner: Owner,
        buckets: tuple[float, ...],
        labels: tuple[str, ...] = (),
        unit: Unit = Unit.SECONDS,
    ) -> Metric:
        return self._add(Metric(name, Kind.HISTOGRAM, help, owner, labels, unit, buckets))

    def _add(self, metric: Metric) -> Metric:
        """Raises ValueError."""
        if not re.fullmatch(r"wa_[a-z]+(_[a-z]+)+", metric.name):
            raise ValueError(f"{metric.name} is not named wa_<area>_<what>")
        if metric.name.endswith("_total") != (metric.kind is Kind.COUNTER):
            raise ValueError(f"{metric.name}: counters, and no others, end in _total")
        if _unit_of(metric.family) is not metric.unit:
            raise ValueError(f"{metric.name} does not end in its unit")
        if metric.family in self._metrics:
            raise ValueError(f"{metric.name} is in the registry already")
        self._metrics[metric.family] = metric
        return metric


def _unit_of(family: str) -> Unit:
    last = family.rsplit("_", 1)[-1]
    return Unit(last) if last in (Unit.SECONDS, Unit.BYTES) else Unit.NONE


REGISTRY = MetricRegistry()

_SESSION = ("session",)

# Every service

BUS_CONNECTED = REGISTRY.gauge(
    "wa_bus_connected", "1 while the process is connected to NATS.", owner=Owner.EVERY_SERVICE
)
BUS_FAULTS = REGISTRY.counter(
    "wa_bus_faults_total",
    "Faults that the process has seen on the bus.",
    owner=Owner.EVERY_SERVICE,
    labels=("fault",),
)

# Gateway

GATEWAY_REQUESTS = REGISTRY.counter(
    "wa_gateway_requests_total",
    "HTTP requests, by the pattern of the route.",
    owner=Owner.GATEWAY,
    labels=("route", "method", "status"),
)
GATEWAY_REQUEST_SECONDS = REGISTRY.histogram(
    "wa_gateway_request_seconds",
    "Time from the first line of a request to its answer.",
    owner=Owner.GATEWAY,
    labels=("route",),
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0),
)
GATEWAY_ACTIONS = REGISTRY.counter(
    "wa_gateway_actions_total",
    "Actions that clients asked for, by the code of the answer.",
    owner=Owner.GATEWAY,
    labels=("action", "code"),
)
GATEWAY_WRONG_KEYS = REGISTRY.counter(
    "wa_gateway_wrong_keys_total",
    "Wrong keys that were presented, by where they came: header, login, metrics.",
    owner=Owner.GATEWAY,
    labels=("source",),
)
GATEWAY_STREAMS = REGISTRY.gauge("wa_gateway_streams", "Open event streams.", owner=Owner.GATEWAY)
GATEWAY_REFUSED = REGISTRY.counter(
    "wa_gateway_refused_total",
    "Connections ended before the application answered: malformed, slow_request, slow_reader or crowded.",
    owner=Owner.GATEWAY,
    labels=("what",),
)

# Browser worker

WORKER_SESSIONS = REGISTRY.gauge("wa_worker_sessions", "Sessions that this worker runs.", owner=Owner.BROWSER_WORKER)
WORKER_CAPACITY = REGISTRY.gauge(
    "wa_worker_capacity", "Sessions that this worker takes at a time.", owner=Owner.BROWSER_WORKER
)
WORKER_LEASE_RENEWALS = REGISTRY.counter(
    "wa_worker_lease_renewals_total",
    "Renewals of leases: held, lost to another worker, or unknown because NATS did not answer.",
    owner=Owner.BROWSER_WORKER,
    labels=("outcome",),
)
WORKER_FREEZE_SECONDS = REGISTRY.histogram(
    "wa_worker_freeze_seconds",
    "How long a browser stood still because its lease was in doubt.",
    owner=Owner.BROWSER_WORKER,
    buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
WORKER_LAUNCHES = REGISTRY.counter(
    "wa_worker_launches_total",
    "Launches of a browser: launched or failed.",
    owner=Owner.BROWSER_WORKER,
    labels=("outcome",),
)
WORKER_RUNGS = REGISTRY.counter(
    "wa_worker_rungs_total",
    "Rungs of the recovery ladder that were taken.",
    owner=Owner.BROWSER_WORKER,
    labels=("rung",),
)
WORKER_REFUSALS = REGISTRY.counter(
    "wa_worker_refusals_total",
    "What browsers were kept from: a host, an address, a navigation, a tab, a push; `reported` was let through.",
    owner=Owner.BROWSER_WORKER,
    labels=("what",),
)
WORKER_COPIES = REGISTRY.counter(
    "wa_worker_copies_total",
    "Saves and backups that this worker attempted: made, unchanged or failed.",
    owner=Owner.BROWSER_WORKER,
    labels=("copy", "outcome"),
)
WORKER_SNAPSHOT_PAUSE_SECONDS = REGISTRY.histogram(
    "wa_worker_snapshot_pause_seconds",
    "How long a browser stood still for a snapshot.",
    owner=Owner.BROWSER_WORKER,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)

# Backup

BACKUP_STORED = REGISTRY.counter("wa_backup_stored_total", "Backups stored.", owner=Owner.BACKUP)
BACKUP_UNCHANGED = REGISTRY.counter(
    "wa_backup_unchanged_total",
    "Snapshots that the newest backup held already, so that nothing was stored.",
    owner=Owner.BACKUP,
)
BACKUP_FAILED = REGISTRY.counter(
    "wa_backup_failed_total", "Backups that failed, by the code of the error.", owner=Owner.BACKUP, labels=("code",)
)
BACKUP_STORE_SECONDS = REGISTRY.histogram(
    "wa_backup_store_seconds",
    "How long it took to store a backup.",
    owner=Owner.BACKUP,
    buckets=(0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900),
)
BACKUP_UPLOADED_BYTES = REGISTRY.counter(
    "wa_backup_uploaded_bytes_total", "Bytes written to the object store.", owner=Owner.BACKUP, unit=Unit.BYTES
)
BACKUP_RESTORED_BYTES = REGISTRY.counter(
    "wa_backup_restored_bytes_total", "Bytes of chunks given to restores.", owner=Owner.BACKUP, unit=Unit.BYTES
)
BACKUP_NEWEST_BYTES = REGISTRY.gauge(
    "wa_backup_newest_bytes",
    "Size of the newest snapshot that this process stored.",
    owner=Owner.BACKUP,
    labels=_SESSION,
    unit=Unit.BYTES,
)
BACKUP_BAD_BACKUPS = REGISTRY.gauge("wa_backup_bad_backups", "Backups in which damage was found.", owner=Owner.BACKUP)
BACKUP_REMOVED = REGISTRY.counter(
    "wa_backup_removed_total", "Backups and generations that retention removed.", owner=Owner.BACKUP, labels=("what",)
)
BACKUP_LOST = REGISTRY.counter(
    "wa_backup_lost_total", "Good backups that went from the object store without retention.", owner=Owner.BACKUP
)
BACKUP_REJECTED_RECORDS = REGISTRY.counter(
    "wa_backup_rejected_records_total",
    "Times that a control record in the object store did not count: damaged, forged, foreign, swapped or rolled back.",
    owner=Owner.BACKUP,
    labels=("what", "fault"),
)
BACKUP_STORE_UP = REGISTRY.gauge(
    "wa_backup_store_up", "1 when the object store answered this replica at the last look.", owner=Owner.BACKUP
)
BACKUP_CONDITIONAL_WRITES = REGISTRY.gauge(
    "wa_backup_conditional_writes", "0 when the object store ignores conditional writes.", owner=Owner.BACKUP
)

# Health, about sessions

SESSION_STATE = REGISTRY.gauge(
    "wa_session_state",
    "1 for the state of the session, 0 for the others.",
    owner=Owner.HEALTH,
    labels=("session", "state"),
)
SESSION_DESIRED_RUNNING = REGISTRY.gauge(
    "wa_session_desired_running", "1 when the desired state is running.", owner=Owner.HEALTH, labels=_SESSION
)
SESSION_CONNECTED = REGISTRY.gauge(
    "wa_session_connected", "1 when the session is connected to WhatsApp.", owner=Owner.HEALTH, labels=_SESSION
)
SESSION_EPOCH = REGISTRY.gauge(
    "wa_session_epoch", "Epoch of the owner; each takeover raises it.", owner=Owner.HEALTH, labels=_SESSION
)
SESSION_UPDATED = REGISTRY.gauge(
    "wa_session_updated_timestamp_seconds",
    "When the status was last renewed.",
    owner=Owner.HEALTH,
    labels=_SESSION,
    unit=Unit.SECONDS,
)
SESSION_PROFILE_BYTES = REGISTRY.gauge(
    "wa_session_profile_bytes",
    "Size of the profile, caches included.",
    owner=Owner.HEALTH,
    labels=_SESSION,
    unit=Unit.BYTES,
)
SESSION_MEMORY_BYTES = REGISTRY.gauge(
    "wa_session_memory_bytes",
    "Memory (PSS) of all processes of the session's browser.",
    owner=Owner.HEALTH,
    labels=_SESSION,
    unit=Unit.BYTES,
)
SESSION_RECONNECT_ATTEMPTS = REGISTRY.gauge(
    "wa_session_reconnect_attempts",
    "Attempts to reconnect since the last stable connection.",
    owner=Owner.HEALTH,
    labels=_SESSION,
)
SESSION_START_TO_CONNECTED = REGISTRY.gauge(
    "wa_session_start_to_connected_seconds",
    "Time from the launch of the browser to connected.",
    owner=Owner.HEALTH,
    labels=_SESSION,
    unit=Unit.SECONDS,
)
SESSION_READ_OK = REGISTRY.gauge(
    "wa_session_read_ok",
    "1 when the self-check could read the state of the page.",
    owner=Owner.HEALTH,
    labels=_SESSION,
)
SESSION_SEND_OK = REGISTRY.gauge(
    "wa_session_send_ok",
    "1 when the self-check found all that sending needs.",
    owner=Owner.HEALTH,
    labels=_SESSION,
)
SESSION_TRANSITIONS = REGISTRY.counter(
    "wa_session_transitions_total",
    "Changes of state of all sessions, by the state entered.",
    owner=Owner.HEALTH,
    labels=("state",),
)
SESSION_RESTORES = REGISTRY.counter(
    "wa_session_restores_total", "Restores made, from a save or a backup.", owner=Owner.HEALTH, labels=("source",)
)
SESSION_CLEARS = REGISTRY.counter("wa_session_clears_total", "Sessions cleared.", owner=Owner.HEALTH)

# Health, about the copies of a session

BACKUP_NEWEST = REGISTRY.gauge(
    "wa_backup_newest_timestamp_seconds",
    "When the newest off-site backup was taken.",
    owner=Owner.HEALTH,
    labels=_SESSION,
    unit=Unit.SECONDS,
)
BACKUP_CURRENT = REGISTRY.gauge(
    "wa_backup_current_timestamp_seconds",
    "When the newest backup was last known to hold what the profile holds (skipped as unchanged counts).",
    owner=Owner.HEALTH,
    labels=_SESSION,
    unit=Unit.SECONDS,
)
BACKUP_KEPT = REGISTRY.gauge("wa_backup_kept", "Off-site backups that are kept.", owner=Owner.HEALTH, labels=_SESSION)
BACKUP_KEPT_BYTES = REGISTRY.gauge(
    "wa_backup_kept_bytes",
    "Bytes that the session's backups take in the object store.",
    owner=Owner.HEALTH,
    labels=_SESSION,
    unit=Unit.BYTES,
)
SAVE_NEWEST = REGISTRY.gauge(
    "wa_save_newest_timestamp_seconds",
    "When the newest local save was taken.",
    owner=Owner.HEALTH,
    labels=_SESSION,
    unit=Unit.SECONDS,
)
SNAPSHOT_PAUSE = REGISTRY.gauge(
    "wa_snapshot_pause_seconds",
    "How long the browser stood still for the newest snapshot.",
    owner=Owner.HEALTH,
    labels=_SESSION,
    unit=Unit.SECONDS,
)

# Health, about verdicts and the system

HEALTH_OVERALL = REGISTRY.gauge(
    "wa_health_overall",
    "1 for the overall verdict, 0 for the others.",
    owner=Owner.HEALTH,
    labels=("session", "overall"),
)
HEALTH_CHECK_LEVEL = REGISTRY.gauge(
    "wa_health_check_level",
    "Level of each check: -1 unknown, 0 healthy, 1 warning, 2 critical.",
    owner=Owner.HEALTH,
    labels=("session", "code"),
)
HEALTH_SESSIONS = REGISTRY.gauge("wa_health_sessions", "Sessions that are watched.", owner=Owner.HEALTH)
HEALTH_SESSIONS_UNMEASURED = REGISTRY.gauge(
    "wa_health_sessions_unmeasured", "Sessions beyond the bound, watched but without metrics.", owner=Owner.HEALTH
)
WORKER_UP = REGISTRY.gauge("wa_worker_up", "1 when a browser worker was heard lately.", owner=Owner.HEALTH)
WORKER_INSTANCES = REGISTRY.gauge("wa_worker_instances", "Browser workers that were heard lately.", owner=Owner.HEALTH)
WORKER_DISK_FREE_BYTES = REGISTRY.gauge(
    "wa_worker_disk_free_bytes", "Free space on the fullest disk of the workers.", owner=Owner.HEALTH, unit=Unit.BYTES
)
BACKUP_UP = REGISTRY.gauge(
    "wa_backup_up", "1 when a backup replica was heard lately and its object store answers.", owner=Owner.HEALTH
)
GATEWAY_UP = REGISTRY.gauge(
    "wa_gateway_up", "1 when the gateway answered the newest probe (only with GATEWAY_URL).", owner=Owner.HEALTH
)
GATEWAY_ANSWER_SECONDS = REGISTRY.gauge(
    "wa_gateway_answer_seconds",
    "How long the gateway took for the newest answer to a probe.",
    owner=Owner.HEALTH,
    unit=Unit.SECONDS,
)
NATS_UP = REGISTRY.gauge(
    "wa_nats_up", "1 when NATS answers about itself (only with NATS_MONITOR_NKEY_SEED).", owner=Owner.HEALTH
)
NATS_CONNECTIONS = REGISTRY.gauge("wa_nats_connections", "Clients connected to NATS.", owner=Owner.HEALTH)
NATS_SLOW_CONSUMERS = REGISTRY.gauge(
    "wa_nats_slow_consumers", "Clients that NATS has cut off as too slow since it started.", owner=Owner.HEALTH
)
NATS_MEMORY_BYTES = REGISTRY.gauge(
    "wa_nats_memory_bytes", "Memory of the NATS server.", owner=Owner.HEALTH, unit=Unit.BYTES
)
NATS_JETSTREAM_STORAGE_BYTES = REGISTRY.gauge(
    "wa_nats_jetstream_storage_bytes", "Storage that JetStream uses.", owner=Owner.HEALTH, unit=Unit.BYTES
)
