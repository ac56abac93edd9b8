"""Runs every test but the slow ones, as `make test` does: `python tests/run_all.py [pytest's options]`.

There are two passes of pytest. The first runs the tests of the parts, the second those that start a whole system, which
need more memory and more of the machine. Each pass hands out whole files to its workers, the files that take longest
first, so that no long file is left over at the end. Both passes always run.

A skipped test counts as a failure unless its reason is one of EXPECTED_SKIPS: a test that is skipped because the set-up
brought too little would otherwise pass unseen. The exit code is that of the first pass that failed.
Environment: TEST_WORKERS, the number of workers of each pass.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ARTEFACTS = ROOT / "test-artefacts"
WORKERS = {"parts": "3", "system": "2"}
"""More than two cores' worth of workers: the tests of the parts mostly wait for intervals and for processes."""
PASSES = {"parts": "not system and not slow", "system": "system and not slow"}
"""Name → which tests, as pytest's -m."""
EXPECTED_SKIPS = {
    "only root may start a program as another user": "who runs the tests need not be root",
    "no Python here may be run by another user": "the Python of the tests may lie in a folder of root's",
    "root may neither mount here nor be refused by a mode": "no package lets the root of such a container mount",
}
"""Pattern of a skip's reason → why no set-up can avoid the skip. Nothing that can be installed is such a cause."""
NOTHING_CHOSEN = 5
"""pytest's exit code where its options leave no test of a pass; a failure only when both passes are empty."""
UNEXPECTED_SKIP = 1


def main() -> int:
    ARTEFACTS.mkdir(exist_ok=True)
    codes = [_run(name) for name in PASSES]
    reports = [path for path in map(_report, PASSES) if path.exists()]
    skips = list(unexpected_skips(reports))
    for test, reason in skips:
        print(f"SKIPPED {test}: {reason}\n  → the set-up must bring what the test needs (tests/run_all.py)", flush=True)
    _print_sum(reports)
    if all(code == NOTHING_CHOSEN for code in codes):
        return NOTHING_CHOSEN
    failed = next((code for code in codes if code not in (0, NOTHING_CHOSEN)), 0)
    return failed or (UNEXPECTED_SKIP if skips else 0)


def unexpected_skips(reports: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """The tests of pytest's XML reports that were skipped for another reason than EXPECTED_SKIPS, with the reason."""
    for path in reports:
        for case in ElementTree.parse(path).iter("testcase"):
            for skipped in case.iter("skipped"):
                reason = skipped.text or skipped.get("message") or "no reason given"
                if not any(re.search(pattern, reason) for pattern in EXPECTED_SKIPS):
                    yield f"{case.get('classname')}::{case.get('name')}", reason


def _run(name: str) -> int:
    print(f"\n# {name}", flush=True)
    report = _report(name)
    report.unlink(missing_ok=True)
    workers = os.environ.get("TEST_WORKERS", WORKERS[name])
    command = [
        sys.executable, "-m", "pytest", "-q", "-m", PASSES[name], "-n", workers, "--dist", "loadfile",
        "--no-loadscope-reorder", f"--junitxml={report}", *sys.argv[1:],
    ]  # fmt: skip
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 130


def _report(name: str) -> Path:
    return ARTEFACTS / f"tests-{name}.xml"


def _print_sum(reports: Iterable[Path]) -> None:
    """One line for both passes, in pytest's words."""
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    seconds = 0.0
    for path in reports:
        for suite in ElementTree.parse(path).iter("testsuite"):
            seconds += float(suite.get("time", 0))
            for name in counts:
                counts[name] += int(suite.get(name, 0))
    passed = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
    named = {"failed": counts["failures"], "passed": passed, "skipped": counts["skipped"], "errors": counts["errors"]}
    words = ", ".join(f"{count} {word}" for word, count in named.items() if count)
    print(f"\n===== {words or 'no tests ran'} in {seconds:.2f}s =====", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
