"""The metrics of one process, made from the entries of `shared.contracts.metrics`.

This module alone speaks to prometheus_client, so that no service can export a name that the registry does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from shared.bus import Bus
from shared.contracts.metrics import BUS_CONNECTED, BUS_FAULTS, REGISTRY, Kind, Metric, MetricValue

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Each method takes an entry of the registry and raises ValueError for any other metric, for the wrong kind and
    for a metric that the process exports already."""

    def __init__(self) -> None:
        self._collectors = CollectorRegistry()
        ProcessCollector(registry=self._collectors)

    def counter(self, metric: Metric) -> Counter:
        _check(metric, Kind.COUNTER)
        return Counter(metric.name, metric.help, metric.labels, registry=self._collectors)

    def gauge(self, metric: Metric) -> Gauge:
        _check(metric, Kind.GAUGE)
        return Gauge(metric.name, metric.help, metric.labels, registry=self._collectors)

    def histogram(self, metric: Metric) -> Histogram:
        _check(metric, Kind.HISTOGRAM)
        return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=self._collectors)

    def computed(self, metrics: Iterable[Metric], read: Callable[[], Iterable[MetricValue]]) -> None:
        """Call `read` at each scrape and export what it returns, so that no figure outlives what it describes.
        Counters and gauges only."""
        metrics = tuple(metrics)
        for metric in metrics:
            _check(metric, Kind.COUNTER, Kind.GAUGE)
        self._collectors.register(_Computed(metrics, read))

    def watch_bus(self, bus: Bus) -> None:
        """Export the metrics of this process's connection to NATS."""

        def read() -> Iterator[MetricValue]:
            yield MetricValue(BUS_CONNECTED, float(bus.connected))
            for fault, count in sorted(bus.counts.items()):
                yield MetricValue(BUS_FAULTS, count, (fault,))

        self.computed((BUS_CONNECTED, BUS_FAULTS), read)

    def families(self) -> frozenset[str]:
        """The families that a scrape shows now, those of prometheus_client included."""
        return frozenset(family.name for family in self._collectors.collect())

    def render(self) -> bytes:
        """The text that Prometheus reads; its type is CONTENT_TYPE."""
        return generate_latest(self._collectors)


def _check(metric: Metric, *kinds: Kind) -> None:
    if metric not in REGISTRY:
        raise ValueError(f"{metric.name} is not in the registry of metrics")
    if metric.kind not in kinds:
        raise ValueError(f"{metric.name} is a {metric.kind}")


class _Computed(Collector):
    def __init__(self, metrics: tuple[Metric, ...], read: Callable[[], Iterable[MetricValue]]) -> None:
        self._metrics = metrics
        self._read = read

    def collect(self) -> Iterator[Family]:
        found: dict[Metric, list[MetricValue]] = {metric: [] for metric in self._metrics}
        for sample in self._read():
            found[sample.metric].append(sample)
        for metric, samples in found.items():
            yield _family(metric, samples)

    def describe(self) -> Iterator[Family]:
        """Names without a reading, which prometheus_client compares with those of the other collectors."""
        for metric in self._metrics:
            yield _family(metric, [])


def _family(metric: Metric, samples: list[MetricValue]) -> Family:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.family, metric.help, labels=metric.labels)
    for sample in samples:
        family.add_metric(list(sample.labels), sample.value)
    return family
