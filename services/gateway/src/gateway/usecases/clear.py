"""Clear: unlink the device and delete the session.

A refused clear changes nothing: people do not expect that a session is deleted hours after they got an error.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain import desired_state
from gateway.domain.desired_state import CLEARED, CLEARING, NextStep
from gateway.domain.observed import ObservedSession
from gateway.ports import DesiredStates, View
from shared.clock import Clock, Deadline
from shared.contracts.budgets import CLEAR_WAIT

from .desired_state_change import change_desired_state, wait_until


@dataclass(frozen=True)
class ClearAnswer:
    observed: ObservedSession
    next_step: NextStep


@dataclass(frozen=True)
class Clear:
    view: View
    desired_states: DesiredStates
    clock: Clock

    def __call__(self, session: str, deadline: Deadline) -> ClearAnswer:
        """Raises WorkerGone, Unavailable, TimedOut, TryAgain."""
        self.view.session(session).require_some_worker()
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
