"""Runs the long tests, those marked `slow`: `python tests/soak.py [--minutes N] [--start NAME]`.

Without options every one of them runs. With --minutes only some do: the run begins at another test for each commit and
starts no further test when the time is over, so that continuous integration goes round all of them in a few commits.
Each test runs in a pytest of its own. The exit code is 1 when one failed.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.clock import SystemClock

ROOT = Path(__file__).resolve().parents[1]
CLOCK = SystemClock()
LONGEST_TEST_SECONDS = "3600"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-m", "slow")


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the long tests.")
    parser.add_argument("--minutes", type=float, help="start no further test after this time")
    parser.add_argument("--start", help="what decides where to begin (the commit, unless given)")
    options = parser.parse_args()
    tests = slow_tests()
    if not tests:
        print("no test is marked slow", file=sys.stderr)
        return 1
    if options.minutes is not None:
        tests = rotated(tests, options.start or commit())
    return 1 if run(tests, None if options.minutes is None else options.minutes * 60) else 0


def run(tests: Sequence[str], seconds: float | None) -> list[str]:
    """Returns the tests that failed."""
    started, failed = 0, []
    for test in within(tests, seconds):
        started += 1
        print(f"\n# soak {started} of {len(tests)}: {test}", flush=True)
        command = [*PYTEST, "--timeout", LONGEST_TEST_SECONDS, test]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            failed.append(test)
    print(f"\n# soak: {started} of {len(tests)} long tests ran, from {tests[0]} on", flush=True)
    print("".join(f"FAILED {test}\n" for test in failed), end="", flush=True)
    print(f"{started - len(failed)} passed, {len(failed)} failed", flush=True)
    return failed


def within(tests: Sequence[str], seconds: float | None) -> Iterator[str]:
    """The tests, until the time is over; the first in any case."""
    began = CLOCK.monotonic()
    for number, test in enumerate(tests):
        if number and seconds is not None and CLOCK.monotonic() - began >= seconds:
            return
        yield test


def rotated(tests: Sequence[str], key: str) -> list[str]:
    """The same tests in the same order, from one on that the key chooses."""
    start = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % len(tests)
    return [*tests[start:], *tests[:start]]


def slow_tests() -> list[str]:
    command = [*PYTEST, "--collect-only", "tests"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return [line for line in said.splitlines() if "::" in line and line.startswith("tests/")]


def commit() -> str:
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
