"""Clear: unlink the device and delete the session.

A refused clear changes nothing: people do not expect that a session is deleted hours after they got an error. Clearing
what never existed changes nothing either: a mistyped name makes no record, no tombstone and no work. Unknown is not
absent: whoever knows a session only by its backups can still clear it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain import desired_state
from gateway.domain.desired_state import CLEARED, CLEARING, NOTHING_TO_CLEAR, NextStep
from gateway.domain.observed import ObservedSession
from gateway.ports import DesiredStates, View
from shared.clock import Clock, Deadline
from shared.contracts.budgets import CLEAR_WAIT, DESIRED_STATE_WAIT

from .desired_state_change import change_desired_state, wait_until
from .list_backups import ListSessionBackups


@dataclass(frozen=True)
class ClearAnswer:
    observed: ObservedSession
    next_step: NextStep


@dataclass(frozen=True)
class Clear:
    view: View
    desired_states: DesiredStates
    list_backups: ListSessionBackups
    clock: Clock

    def __call__(self, session: str, deadline: Deadline) -> ClearAnswer:
        """Raises WorkerGone, NotRunning, Unavailable, TimedOut, TryAgain."""
        self.view.session(session).require_some_worker()
        if not self._exists(session, deadline):
            return ClearAnswer(self.view.session(session), NOTHING_TO_CLEAR)
        now = self.clock.now()
        request = change_desired_state(
            self.desired_states,
            self.view,
            session,
            lambda record, observed: desired_state.clear(session, record, observed, now),
            deadline,
        )
        observed = wait_until(
            self.view,
            session,
            lambda observed: desired_state.clear_done(observed, request),
            deadline.within(CLEAR_WAIT),
        )
        return ClearAnswer(observed, CLEARED if desired_state.clear_done(observed, request) else CLEARING)

    def _exists(self, session: str, deadline: Deadline) -> bool:
        if self.view.session(session).known:
            return True
        record, _ = self.desired_states.read(session, timeout=deadline.left(DESIRED_STATE_WAIT))
        return record is not None or bool(self.list_backups(session, deadline).backups)
