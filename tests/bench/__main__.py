"""`python -m tests.bench [NAME…]`: runs the benchmarks one after the other, and prints every figure beside its goal.

The exit code is 1 when a goal is missed or a benchmark ends without an outcome. No test asserts a time, because
machines are shared; what judges the figures has its tests (`tests/unit/local/test_local_bench.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.goals import OUTCOMES_FILE, Outcome, table

HERE = Path(__file__).parent
BENCHMARKS = (
    "start_to_connected",
    "snapshot_pause",
    "browser_memory",
    "status_rps",
    "bus_signing",
    "busy_gateway",
    "backup_throughput",
    "resting_cpu",
)


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    outcomes = [outcome for name in names or BENCHMARKS for outcome in run(name)]
    missed = [outcome.what for outcome in outcomes if not outcome.reached]
    print(f"\n{table(outcomes)}\n\n{'missed: ' + ', '.join(missed) if missed else 'every goal is kept'}")
    return 1 if missed else 0


def run(name: str, folder: Path = HERE) -> list[Outcome]:
    """The outcomes of one benchmark, and one more where the benchmark fails without a missed goal."""
    print(f"\n== {name.replace('_', ' ')}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "outcomes"
        env = {**os.environ, OUTCOMES_FILE: str(file)}
        code = subprocess.run([sys.executable, folder / f"{name}.py"], env=env, check=False).returncode
        lines = file.read_text().splitlines() if file.exists() else []
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    if not outcomes or (code and all(outcome.reached for outcome in outcomes)):
        outcomes.append(
            Outcome(what=name, measured="nothing", goal="an end in order", reached=False, beside=f"code {code}")
        )
    return outcomes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
