"""Which rung comes next after a fault, and after how long. Pure; the runner climbs.

Only what can help is tried. A dead network is never answered by restoring a copy, and a silent page is not answered by
putting an older login in place of a good one. An older copy is tried only when no browser connects on the present
profile, and never when the phone has revoked the login that every copy holds. The inspection before every new browser
finds damage to the profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import assert_never

from shared.backoff import Backoff

from .session import Fault

LONGEST_DELAY = 300.0
"""Seconds; the cap of the growing delay, and the pace of the slow attempts."""


class Step(StrEnum):
    """What the runner can do for a rung. A step for the page needs a browser that shows the page."""

    RELOAD_PAGE = "reload_page"
    REOPEN_PAGE = "reopen_page"
    RELAUNCH = "relaunch"
    ASK_RESTORE = "ask_restore"

    @property
    def needs_page(self) -> bool:
        return self in (Step.RELOAD_PAGE, Step.REOPEN_PAGE)


class Rung(Enum):
    """A rung by its name in the log and in the metrics, with the steps that it takes, in order."""

    WAIT = ("wait",)
    RELOAD = ("reload", Step.RELOAD_PAGE)
    NEW_PAGE = ("new_page", Step.REOPEN_PAGE)
    NEW_BROWSER = ("new_browser", Step.RELAUNCH)
    RESTORE = ("restore", Step.ASK_RESTORE)

    def __init__(self, label: str, *steps: Step) -> None:
        self.label = label
        self._steps = steps

    def steps(self, *, launched: bool) -> tuple[Step, ...]:
        """Without a browser that shows the page (`launched`), a new browser takes the place of a rung that needs the
        page."""
        if not launched and any(step.needs_page for step in self._steps):
            return (Step.RELAUNCH,)
        return self._steps


@dataclass(frozen=True)
class Budget:
    """`attempts` before the slow pace begins; `launches` of a browser before an older copy is tried in place of a
    profile on which no browser connects; `base_delay` in seconds."""

    attempts: int = 5
    launches: int = 3
    base_delay: float = 5.0


@dataclass(frozen=True)
class Climb:
    """The rung to take after `delay` seconds."""

    rung: Rung
    delay: float


def climb(
    fault: Fault | None,
    attempt: int,
    budget: Budget,
    jitter: float,
    *,
    launches_since_connected: int = 0,
    may_restore: bool = True,
) -> Climb | None:
    """The rung of attempt 1, 2, …; None when the budget is spent. `jitter` is uniform in 0..1;
    `launches_since_connected` counts the browsers started on this profile since one of them was connected."""
    if attempt > budget.attempts:
        return None
    exhausted = launches_since_connected > budget.launches and may_restore
    return Climb(_rung(fault or Fault.PAGE, attempt, exhausted=exhausted), delay(fault, attempt, budget, jitter))


def _rung(fault: Fault, attempt: int, *, exhausted: bool) -> Rung:
    """`exhausted`: no browser connects on the present profile, and a copy may be tried."""
    match fault:
        case Fault.NETWORK:
            rungs: tuple[Rung, ...] = (Rung.WAIT, Rung.RELOAD, Rung.NEW_PAGE, Rung.NEW_BROWSER)
        case Fault.PAGE:
            rungs = (Rung.RELOAD, Rung.NEW_PAGE, Rung.NEW_BROWSER)
        case Fault.PROFILE:
            return Rung.NEW_BROWSER
        case Fault.BROWSER:
            return Rung.RESTORE if exhausted else Rung.NEW_BROWSER
        case _:
            assert_never(fault)
    return rungs[min(attempt, len(rungs)) - 1]


def delay(fault: Fault | None, attempt: int, budget: Budget, jitter: float) -> float:
    """Seconds before the attempt. The first answer to a crash comes at once; then the delay doubles, with jitter."""
    if attempt == 1 and fault is not Fault.NETWORK:
        return 0.0
    return Backoff(budget.base_delay, LONGEST_DELAY).delay(attempt, jitter)


def slow_delay(jitter: float) -> float:
    """Seconds between the slow attempts, which go on without end."""
    return Backoff(LONGEST_DELAY, LONGEST_DELAY).delay(1, jitter)


def pause_seconds(pauses: int, budget: Budget, jitter: float, longest: float) -> float:
    """Seconds of the pause number 1, 2, … before the object store or the disk is asked again."""
    return Backoff(budget.base_delay, longest).delay(pauses, jitter)
