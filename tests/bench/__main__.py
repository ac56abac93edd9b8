"""`python -m tests.bench [NAME…]`: runs the benchmarks one by one, each against a peer or a limit in the same run.

A benchmark exits with 1 when it misses its goal; timings are never assertions of a test, for machines are shared.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BENCHMARKS = ("start_to_connected", "snapshot_pause", "browser_memory", "status_rps", "backup_throughput")


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    missed = []
    for name in names or BENCHMARKS:
        print(f"\n== {name.replace('_', ' ')}", flush=True)
        if subprocess.run([sys.executable, HERE / f"{name}.py"], check=False).returncode != 0:
            missed.append(name)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nall goals reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
