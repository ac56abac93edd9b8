"""The worker's time budgets that depend on each other, in one place. Pure; seconds.

The lease. A competitor may take a session over one TTL after the owner's newest renewal, so everything that the owner
does about a doubt happens earlier, counted from that renewal: at `freeze_after` the worker freezes the browser, and at
`kill_after` the watchdog kills the browsers of a worker that hangs and could not freeze them.

The stop. `Times.stop` is the budget of one session's stop. The export and the closing of the browser come first and
take a part of it, the last save and backup have the rest. `STOP_MARGIN` is what the worker needs around its sessions.
"""

from __future__ import annotations

FREEZE_SHARE = 0.65
"""Of the TTL; early enough that a late renewal and a slow signal still come before the TTL ends."""

KILL_SHARE = 0.95
"""Of the TTL; later than the freeze, so that a worker that only has lost NATS keeps its browsers."""

EXPORT_SECONDS = 3.0
"""The last local-storage export of a stop."""

CLOSE_SECONDS = 5.0
"""A browser closes cleanly within this, or is killed."""

END_SECONDS = 2.0
"""A browser that is left over when its session has ended on this worker is closed within this, or killed."""

STOP_MARGIN = END_SECONDS + 1.0
"""Beyond the stop of the sessions: the browsers that are left over and the release of the leases."""


def freeze_after(ttl: float) -> float:
    return ttl * FREEZE_SHARE


def kill_after(ttl: float, tick: float) -> float:
    """`tick`: how often the watchdog looks, so that it has killed by KILL_SHARE of the TTL."""
    return ttl * KILL_SHARE - tick


def export_seconds(stop: float) -> float:
    """What a stop gives the last local-storage export."""
    return min(EXPORT_SECONDS, stop / 4)


def close_seconds(stop: float) -> float:
    """What a stop gives the browser to close. At least a quarter of the budget is left for the copies."""
    return min(CLOSE_SECONDS, stop / 2)
