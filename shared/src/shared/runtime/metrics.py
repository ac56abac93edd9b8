"""Metrics of one process, in a registry of its own. Names `wa_<area>_<what>_<unit>`; labels never hold a number, a chat
or anything unbounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from shared.bus import Bus

CONTENT_TYPE = CONTENT_TYPE_LATEST
DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds: from a bus request to a restore."""


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(name, help, labels, registry=self.registry)

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, help, labels, registry=self.registry)

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = DEFAULT_BUCKETS
    ) -> Histogram:
        return Histogram(name, help, labels, buckets=buckets, registry=self.registry)

    def watch_bus(self, bus: Bus) -> None:
        """Add `wa_bus_connected` and `wa_bus_faults_total` by fault."""
        self.registry.register(_BusCollector(bus))

    def render(self) -> bytes:
        """The text that Prometheus reads; its type is CONTENT_TYPE."""
        return generate_latest(self.registry)


class _BusCollector(Collector):
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("wa_bus_connected", "1 while connected to NATS.", value=float(self._bus.connected))
        faults = CounterMetricFamily("wa_bus_faults", "Faults seen on the bus since the start.", labels=["fault"])
        for fault, count in sorted(self._bus.counts.items()):
            faults.add_metric([fault], count)
        yield faults
