"""Every test but the slow ones, as `make test` runs them: `python tests/run_all.py [pytest's options]`.

Two passes: what starts a whole system runs alone, for it measures times and needs the memory; the rest runs two at a
time, a file at a time. Both passes always run; the exit code is that of the first that failed.
Environment: TEST_WORKERS, how many at a time (2).
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ARTEFACTS = ROOT / "test-artefacts"
PASSES = {
    "parts": ("-m", "not system and not slow", "-n", os.environ.get("TEST_WORKERS", "2"), "--dist", "loadfile"),
    "system": ("-m", "system and not slow"),
}
NOTHING_CHOSEN = 5
"""pytest's exit code where its options leave no test of a pass; a fault only when both passes are empty."""


def main() -> int:
    ARTEFACTS.mkdir(exist_ok=True)
    codes = [_run(name, options) for name, options in PASSES.items()]
    _sum_up()
    if all(code == NOTHING_CHOSEN for code in codes):
        return NOTHING_CHOSEN
    return next((code for code in codes if code not in (0, NOTHING_CHOSEN)), 0)


def _run(name: str, options: tuple[str, ...]) -> int:
    print(f"\n# {name}", flush=True)
    report = _report(name)
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", *options, f"--junitxml={report}", *sys.argv[1:]]
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 130


def _report(name: str) -> Path:
    return ARTEFACTS / f"tests-{name}.xml"


def _sum_up() -> None:
    """One line for both passes, in pytest's words."""
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    seconds = 0.0
    for path in filter(Path.exists, map(_report, PASSES)):
        for suite in ElementTree.parse(path).iter("testsuite"):
            seconds += float(suite.get("time", 0))
            for name in counts:
                counts[name] += int(suite.get(name, 0))
    passed = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
    told = {"failed": counts["failures"], "passed": passed, "skipped": counts["skipped"], "errors": counts["errors"]}
    words = ", ".join(f"{count} {word}" for word, count in told.items() if count)
    print(f"\n===== {words or 'no tests ran'} in {seconds:.2f}s =====", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
