"""Writing a desired state, and waiting until the session is observed to follow it."""

from __future__ import annotations

from collections.abc import Callable

from gateway.domain.observed import ObservedSession
from gateway.ports import DesiredStates, View
from shared.clock import Deadline
from shared.contracts.budgets import DESIRED_STATE_WAIT
from shared.contracts.errors import Conflict, TryAgain
from shared.contracts.sessions import SessionRecord

Decide = Callable[[SessionRecord | None, ObservedSession], SessionRecord | None]
"""From the present record and what is observed to the record to write, or None when nothing needs to change."""
WRITE_ATTEMPTS = 3


def change_desired_state(
    desired_states: DesiredStates, view: View, session: str, decide: Decide, deadline: Deadline
) -> int:
    """Write what `decide` returns, by compare-and-swap. Returns the request number that the worker has to reach.
    Raises TryAgain when other writers come first each time."""
    for _ in range(WRITE_ATTEMPTS):
        record, revision = desired_states.read(session, timeout=deadline.left(DESIRED_STATE_WAIT))
        desired = decide(record, view.session(session))
        if desired is None:
            return record.request if record else 0
        try:
            desired_states.write(desired, revision, timeout=deadline.left(DESIRED_STATE_WAIT))
        except Conflict:
            continue
        return desired.request
    raise TryAgain("other requests changed the session at the same time", hint="try again")


def wait_until(
    view: View, session: str, done: Callable[[ObservedSession], bool], deadline: Deadline
) -> ObservedSession:
    """The session as soon as it is `done`, or as it is at the deadline or when the gateway stops."""
    while True:
        version = view.version()
        observed = view.session(session)
        left = deadline.left()
        if done(observed) or left <= 0 or view.stopping:
            return observed
        view.wait(version, left)
