"""Which rung comes next after a fault, and after how long. Pure; the runner climbs.

Only what can help is tried: a dead network is never answered by restoring, a page that is silent is not answered by
putting an older login in place of a good one. Damage itself is found by the inspection before every new browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .machine import Fault

LONGEST_DELAY = 300.0
"""Seconds; the cap of the growing delay, and the pace of the slow attempts."""


class Rung(StrEnum):
    WAIT = "wait"
    RELOAD = "reload"
    NEW_PAGE = "new_page"
    NEW_BROWSER = "new_browser"
    RESTORE = "restore"


@dataclass(frozen=True)
class Budget:
    """`attempts` before the slow pace begins; `launches` of a browser before an older copy is tried in place of a
    profile on which none stays up; `base_delay` in seconds."""

    attempts: int = 5
    launches: int = 3
    base_delay: float = 5.0


@dataclass(frozen=True)
class Climb:
    rung: Rung
    delay: float


_RUNGS: dict[Fault, tuple[Rung, ...]] = {
    Fault.NETWORK: (Rung.WAIT, Rung.RELOAD, Rung.NEW_PAGE, Rung.NEW_BROWSER),
    Fault.PAGE: (Rung.RELOAD, Rung.NEW_PAGE, Rung.NEW_BROWSER),
    Fault.PROFILE: (Rung.NEW_BROWSER,),
}


def climb(
    fault: Fault | None, attempt: int, budget: Budget, jitter: float, *, launches_since_connected: int = 0
) -> Climb | None:
    """The rung of attempt 1, 2, …; None when the budget is spent. `jitter` is uniform in 0..1;
    `launches_since_connected` counts the browsers started on this profile since one of them was connected."""
    if attempt > budget.attempts:
        return None
    return Climb(
        _rung(fault or Fault.PAGE, attempt, budget, launches_since_connected), delay(fault, attempt, budget, jitter)
    )


def _rung(fault: Fault, attempt: int, budget: Budget, launches_since_connected: int) -> Rung:
    if fault is Fault.BROWSER:
        return Rung.NEW_BROWSER if launches_since_connected <= budget.launches else Rung.RESTORE
    rungs = _RUNGS[fault]
    return rungs[min(attempt, len(rungs)) - 1]


def delay(fault: Fault | None, attempt: int, budget: Budget, jitter: float) -> float:
    """Seconds before the attempt: nothing before the first answer to a crash, then doubled each time with jitter."""
    if attempt == 1 and fault is not Fault.NETWORK:
        return 0.0
    return min(LONGEST_DELAY, budget.base_delay * 2.0 ** (attempt - 1)) * (0.5 + jitter / 2)


def slow_delay(jitter: float) -> float:
    """Seconds between the slow attempts that go on for ever."""
    return LONGEST_DELAY * (0.5 + jitter / 2)
