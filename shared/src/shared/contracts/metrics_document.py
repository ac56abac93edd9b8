"""docs/metrics.md, written from the registry of metrics."""

from __future__ import annotations

from .metrics import REGISTRY, Metric, Owner

_HEAD = """\
# Metrics

<!-- Written by `make docs` from shared/contracts/metrics.py. -->

Each service exports its own metrics, those of every service, and the usual `process_*` metrics at `/metrics`.
A name is `wa_<area>_<what>_<unit>` in base units; counters end in `_total`. A figure that is not known has no sample.
The number of sessions with metrics of their own is bounded, and no label holds a phone number, a chat or a name.
"""
_TITLES = {Owner.EVERY_SERVICE: "Every service"}


def metrics_document() -> str:
    return "\n".join([_HEAD, *(_section(owner) for owner in Owner if REGISTRY.owned_by(owner))])


def _section(owner: Owner) -> str:
    rows = [_row(metric) for metric in REGISTRY.owned_by(owner)]
    table = ["| metric | kind | unit | labels | meaning |", "|---|---|---|---|---|", *rows]
    return "\n".join([f"## {_TITLES.get(owner, owner)}", "", *table, ""])


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {metric.unit or '–'} | {labels or '–'} | {metric.help} |"
