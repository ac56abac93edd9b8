"""The goals of the benchmarks, and the judgement whether a measured figure reaches its goal.

A benchmark measures, calls `judge` of each of its goals with the figure, and ends with `sys.exit(conclude(outcomes))`:
the exit code is 1 when a goal is missed. Every figure is a ratio to a peer or stands beside a peer or a limit that the
same run measured, because machines differ and are shared. A figure that is no number misses its goal.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OUTCOMES_FILE = "BENCH_OUTCOMES"
"""The environment variable that names the file to which `conclude` appends one JSON line for each outcome."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A measured figure beside its goal. `beside` says what the same run compared it with."""

    what: str
    measured: str
    goal: str
    reached: bool
    beside: str = ""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound that a figure must reach; exactly one of `at_most` and `at_least` is given, in `unit`."""

    what: str
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    digits: int = 2

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError(f"{self.what}: a goal has one bound")

    def judge(self, measured: float, *, beside: str = "") -> Outcome:
        if self.at_most is not None:
            reached, goal = measured <= self.at_most, f"at most {self.at_most:g} {self.unit}"
        else:
            assert self.at_least is not None
            reached, goal = measured >= self.at_least, f"at least {self.at_least:g} {self.unit}"
        return Outcome(
            what=self.what,
            measured=f"{measured:.{self.digits}f} {self.unit}".strip(),
            goal=goal.strip(),
            reached=reached and math.isfinite(measured),
            beside=beside,
        )


START = Goal(what="launch of the browser to connected", unit="s", at_most=1.0)
PAUSE = Goal(what="pause of the browser for a snapshot", unit="ms", at_most=30.0, digits=1)
MEMORY = Goal(what="memory below Chromium with default flags", unit="%", at_least=40.0, digits=0)
STATUS = Goal(what="status requests, against an empty Flask route", at_least=0.5)
SIGNED = Goal(what="signed and encrypted requests, against unsigned ones", at_least=0.15)
"""A request costs two signatures, two checks, an encryption and its reverse: half a millisecond where a
person waits for tens. Both ends run in one process, and below this bound something would check twice."""
STORE = Goal(what="storing a backup, against a plain copy by boto3", at_least=0.5)
"""Storing reads every byte twice (once back for the proof), compresses and encrypts; half the rate of a plain copy
keeps the five minutes between two backups far away for the largest profile."""
RESTORE = Goal(what="restoring a backup, against a plain copy by boto3", at_least=0.25)
"""A restore takes each chunk over the bus, one request for each; a quarter of the rate of a plain copy brings 500 MB
back within seconds, so that the browser's start and not the restore decides how long a person waits."""

RESTING_STORE = Goal(what="CPU of the resting object store, against itself with GOMEMLIMIT=192MiB", at_most=0.3)
"""A limit below what the store needs at rest keeps Go's garbage collector running."""
RESTING_SHARE = Goal(what="share of the object store in the CPU of the resting system", at_most=0.4)

BUSY_ANSWER = Goal(what="p99 of an answer of the busy gateway", unit="s", at_most=1.5)
STREAMS = Goal(what="event streams that get the same news", at_least=60.0, digits=0)
GATEWAY_MEMORY = Goal(what="memory of the gateway after slow clients, against itself at rest", at_most=2.0)


def ratio(measured: float, peer: float) -> float:
    """NaN, which misses every goal, where the peer measured nothing."""
    return measured / peer if peer > 0 else math.nan


def percent_below(measured: float, peer: float) -> float:
    """How many percent `measured` is below `peer`."""
    return 100 * (1 - ratio(measured, peer))


def table(outcomes: Sequence[Outcome]) -> str:
    rows = [("what", "measured", "goal", "", "beside")]
    rows += [(o.what, o.measured, o.goal, "kept" if o.reached else "MISSED", o.beside) for o in outcomes]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def conclude(outcomes: Sequence[Outcome]) -> int:
    """Print the outcomes and hand them to `python -m tests.bench`. 0 when there are some and every goal is reached."""
    print(table(outcomes), flush=True)
    if path := os.environ.get(OUTCOMES_FILE):
        with Path(path).open("a") as file:
            file.writelines(json.dumps(vars(outcome)) + "\n" for outcome in outcomes)
    return 0 if outcomes and all(outcome.reached for outcome in outcomes) else 1
