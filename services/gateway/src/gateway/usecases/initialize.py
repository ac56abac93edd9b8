"""Initialize: the session is desired running. The desired state stays written even when no worker is there yet."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain import desired_state
from gateway.domain.desired_state import NextStep
from gateway.domain.observed import ObservedSession
from gateway.ports import DesiredStates, View
from shared.clock import Clock, Deadline
from shared.contracts.budgets import INITIALIZE_WAIT

from .desired_state_change import change_desired_state, wait_until


@dataclass(frozen=True)
class Initialized:
    observed: ObservedSession
    next_step: NextStep


@dataclass(frozen=True)
class Initialize:
    view: View
    desired_states: DesiredStates
    clock: Clock

    def __call__(self, session: str, deadline: Deadline) -> Initialized:
        """Raises WorkerGone (the request is kept), Unavailable, TimedOut, TryAgain."""
        now = self.clock.now()
        request = change_desired_state(
            self.desired_states,
            self.view,
            session,
            lambda record, observed: desired_state.initialize(session, record, observed, now),
            deadline,
        )
        self.view.session(session).require_some_worker()
        observed = wait_until(
            self.view,
            session,
            lambda observed: desired_state.initialize_done(observed, request),
            deadline.within(INITIALIZE_WAIT),
        )
        return Initialized(observed, desired_state.after_initialize(observed, request))
