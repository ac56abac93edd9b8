"""docs/metrics.md, written from the registry of metrics."""

from __future__ import annotations

from .metrics import REGISTRY, Metric, Owner

_HEAD = """\
# Metrics

<!-- Written by `make docs` from shared/contracts/metrics.py. -->

Each service exports its own metrics, those of every service, and the usual `process_*` metrics at `/metrics`.
A name is `wa_<area>_<what>_<unit>` in base units; counters end in `_total`. A figure that is not known has no sample.
The number of sessions with metrics of their own is bounded, and no label holds a phone number, a chat or a name.

`/metrics` and `/health/ready` of each service want `METRICS_TOKEN` as a bearer token, on the machine itself too. In the
local mode the token is in `DATA_DIR/keys/metrics-token` and the ports are in `DATA_DIR/run/ports.json` (`*-http`). For
Prometheus:

```yaml
scrape_configs:
  - job_name: persistent-session
    authorization: { credentials_file: data/keys/metrics-token }
    static_configs:
      - targets: ["127.0.0.1:20001", "127.0.0.1:20002"]
```

A target is named by an address, a name without a dot or one below `.internal`, `.local` or `.localhost`: under any
other name a service tells nothing, because that name may be a stranger's site that points here.
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
