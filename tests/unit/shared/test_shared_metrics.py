"""The registry of metrics and the Prometheus objects that are made from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.contracts.metrics import (
    BUS_CONNECTED,
    BUS_FAULTS,
    GATEWAY_REQUESTS,
    GATEWAY_STREAMS,
    REGISTRY,
    Kind,
    Metric,
    MetricRegistry,
    MetricValue,
    Owner,
    Unit,
)
from shared.runtime import Metrics
from shared.testing import FakeBus


def figures(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_a_name_that_is_used_twice_is_found() -> None:
    registry = MetricRegistry()
    registry.counter("wa_gateway_requests_total", "Requests.", owner=Owner.GATEWAY)
    with pytest.raises(ValueError, match="wa_gateway_requests_total is in the registry already"):
        registry.counter("wa_gateway_requests_total", "Requests.", owner=Owner.HEALTH)
    with pytest.raises(ValueError, match="wa_gateway_requests is in the registry already"):
        registry.gauge("wa_gateway_requests", "Requests.", owner=Owner.HEALTH)


@pytest.mark.parametrize(
    "name", ["gateway_requests_total", "wa_requests", "wa_gateway", "wa_Gateway_requests_total", "wa__requests_total"]
)
def test_a_name_that_is_built_otherwise_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        MetricRegistry().counter(name, "Requests.", owner=Owner.GATEWAY)


def test_only_a_counter_ends_in_total() -> None:
    with pytest.raises(ValueError, match="_total"):
        MetricRegistry().gauge("wa_gateway_requests_total", "Requests.", owner=Owner.GATEWAY)
    with pytest.raises(ValueError, match="_total"):
        MetricRegistry().counter("wa_gateway_requests", "Requests.", owner=Owner.GATEWAY)


def test_the_name_ends_in_the_unit() -> None:
    registry = MetricRegistry()
    with pytest.raises(ValueError, match="unit"):
        registry.gauge("wa_gateway_age", "Age.", owner=Owner.GATEWAY, unit=Unit.SECONDS)
    with pytest.raises(ValueError, match="unit"):
        registry.gauge("wa_gateway_age_seconds", "Age.", owner=Owner.GATEWAY)
    registry.counter("wa_gateway_sent_bytes_total", "Bytes.", owner=Owner.GATEWAY, unit=Unit.BYTES)


def test_each_metric_of_the_product_is_described_and_its_labels_are_bounded() -> None:
    """Before a label joins the list, look that its values are bounded and hold nothing personal."""
    for metric in REGISTRY:
        assert metric.help.endswith((".", ")")), metric.name
        assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets), metric.name
        assert set(metric.labels) <= {
            "session", "state", "overall", "code", "source", "what", "fault", "route", "method", "status", "action",
            "outcome", "rung", "copy",
        }, metric.name  # fmt: skip


def test_a_metric_that_is_not_in_the_registry_cannot_be_exported() -> None:
    metrics = Metrics()
    stranger = Metric("wa_gateway_visitors", Kind.GAUGE, "Visitors.", Owner.GATEWAY)
    twin = Metric(GATEWAY_STREAMS.name, Kind.GAUGE, "Something else.", Owner.GATEWAY)
    for metric in (stranger, twin):
        with pytest.raises(ValueError, match="not in the registry"):
            metrics.gauge(metric)
        with pytest.raises(ValueError, match="not in the registry"):
            metrics.computed((metric,), lambda: ())


def test_a_metric_is_exported_as_the_kind_that_it_is_and_once() -> None:
    metrics = Metrics()
    with pytest.raises(ValueError, match="is a gauge"):
        metrics.counter(GATEWAY_STREAMS)
    metrics.gauge(GATEWAY_STREAMS)
    with pytest.raises(ValueError, match="Duplicated"):
        metrics.gauge(GATEWAY_STREAMS)
    with pytest.raises(ValueError, match="Duplicated"):
        metrics.computed((GATEWAY_STREAMS,), lambda: ())


def test_computed_metrics_are_read_at_each_scrape() -> None:
    metrics, streams = Metrics(), [3.0]
    metrics.computed((GATEWAY_STREAMS,), lambda: [MetricValue(GATEWAY_STREAMS, count) for count in streams])
    assert figures(metrics)["wa_gateway_streams",] == 3
    streams[:] = [4.0]
    assert figures(metrics)["wa_gateway_streams",] == 4
    streams.clear()
    assert ("wa_gateway_streams",) not in figures(metrics)


def test_a_sample_of_a_metric_that_was_not_announced_fails_the_scrape() -> None:
    def read() -> Iterator[MetricValue]:
        yield MetricValue(GATEWAY_STREAMS, 1.0)
        yield MetricValue(GATEWAY_REQUESTS, 1.0, ("/", "GET", "200"))

    metrics = Metrics()
    metrics.computed((GATEWAY_STREAMS,), read)
    with pytest.raises(KeyError):
        metrics.render()


def test_each_process_exports_the_state_of_its_connection_to_the_bus() -> None:
    metrics, bus = Metrics(), FakeBus()
    bus.counts["late"] = 2
    metrics.watch_bus(bus)
    found = figures(metrics)
    assert (found[BUS_CONNECTED.name,], found[BUS_FAULTS.name, "late"]) == (1, 2)
    bus.lose()
    assert figures(metrics)[BUS_CONNECTED.name,] == 0
