"""The measures as Prometheus reads them, computed when they are read: no metric can outlive its session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from health.domain.measures import COUNTER, MEASURES, Measure, MetricValue, metric_values
from health.domain.session_tracker import SessionTracker
from shared.clock import Clock


class HealthCollector(Collector):
    def __init__(self, tracker: SessionTracker, clock: Clock) -> None:
        self._tracker = tracker
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        by_name: defaultdict[str, list[MetricValue]] = defaultdict(list)
        for sample in metric_values(self._tracker, self._clock.now()):
            by_name[sample.name].append(sample)
        for measure in MEASURES:
            yield _family(measure, by_name[measure.name])

    def describe(self) -> Iterator[Metric]:
        """Names without a look at the sessions, for the registry's check against doubles."""
        for measure in MEASURES:
            yield _family(measure, [])


def _family(measure: Measure, found: list[MetricValue]) -> Metric:
    kind = CounterMetricFamily if measure.kind == COUNTER else GaugeMetricFamily
    family = kind(measure.name.removesuffix("_total"), measure.help, labels=measure.labels)
    for sample in found:
        family.add_metric(list(sample.labels), sample.value)
    return family
