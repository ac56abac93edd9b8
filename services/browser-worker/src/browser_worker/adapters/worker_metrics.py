"""The worker's own metrics, counted in the objects of its metrics page."""

from __future__ import annotations

from collections.abc import Callable

from browser_worker.domain.egress import Refusal
from browser_worker.ports import CopyOutcome
from shared.bus.lease import Outcome
from shared.contracts import metrics as registry
from shared.runtime import Metrics


class ServedWorkerMetrics:
    """Fulfils ports.WorkerMetrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._sessions = metrics.gauge(registry.WORKER_SESSIONS)
        self._capacity = metrics.gauge(registry.WORKER_CAPACITY)
        self._renewals = metrics.counter(registry.WORKER_LEASE_RENEWALS)
        self._freezes = metrics.histogram(registry.WORKER_FREEZE_SECONDS)
        self._launches = metrics.counter(registry.WORKER_LAUNCHES)
        self._rungs = metrics.counter(registry.WORKER_RUNGS)
        self._copies = metrics.counter(registry.WORKER_COPIES)
        self._pauses = metrics.histogram(registry.WORKER_SNAPSHOT_PAUSE_SECONDS)
        self._refusals = metrics.counter(registry.WORKER_REFUSALS)
        for refusal in Refusal:
            self._refusals.labels(refusal.value)
        for outcome in Outcome:
            self._renewals.labels(outcome.value)

    def watch_sessions(self, owned: Callable[[], int], capacity: int) -> None:
        """Read `owned` at each scrape."""
        self._sessions.set_function(owned)
        self._capacity.set(capacity)

    def lease_renewed(self, outcome: str) -> None:
        self._renewals.labels(outcome).inc()

    def frozen(self, seconds: float) -> None:
        self._freezes.observe(seconds)

    def launched(self, *, succeeded: bool) -> None:
        self._launches.labels("launched" if succeeded else "failed").inc()

    def rung_taken(self, rung: str) -> None:
        self._rungs.labels(rung).inc()

    def refused(self, what: Refusal) -> None:
        self._refusals.labels(what.value).inc()

    def saved(self, outcome: CopyOutcome) -> None:
        self._copies.labels("save", outcome.value).inc()

    def backed_up(self, outcome: CopyOutcome) -> None:
        self._copies.labels("backup", outcome.value).inc()

    def snapshot_paused(self, seconds: float) -> None:
        self._pauses.observe(seconds)
