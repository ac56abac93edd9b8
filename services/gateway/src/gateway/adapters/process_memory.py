"""The gateway's own memory, by the names of Node's `process.memoryUsage()`, which the old clients read."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def measure() -> dict[str, int]:
    """Bytes: `rss` resident; `heapTotal` data segment; `heapUsed` resident anonymous; `external` resident files and
    shared memory. Without /proc the peak stands in for the first three."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return {"rss": peak, "heapTotal": peak, "heapUsed": peak, "external": 0}
    fields = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return {
        "rss": _bytes(fields, "VmRSS"),
        "heapTotal": _bytes(fields, "VmData"),
        "heapUsed": _bytes(fields, "RssAnon"),
        "external": _bytes(fields, "RssFile") + _bytes(fields, "RssShmem"),
    }


def _bytes(fields: dict[str, str], name: str) -> int:
    return int(fields.get(name, "0 kB").split()[0]) * 1024
