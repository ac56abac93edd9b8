"""The observed state of one session: collects the facts and publishes them. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from browser_worker.domain.details import DETAILS
from browser_worker.domain.machine import Session
from shared.clock import Clock
from shared.contracts.errors import ServiceError
from shared.contracts.events import StateChanged
from shared.contracts.sessions import Reason, SessionStatus, State, Transition
from shared.runtime import get_logger

from .dependencies import Dependencies

HISTORY = 100

log = get_logger()


class Reporter:
    """Holds the newest SessionStatus. Publishing is best effort: the next one carries everything again."""

    def __init__(self, deps: Dependencies, epoch: int, owns: Callable[[], bool]) -> None:
        """`owns`: whether the lease can still be ours. A worker that wakes from a long sleep does not know yet that
        another has taken over, and its old word must not stand in the place of the newer one."""
        self._deps = deps
        self._owns = owns
        self._clock: Clock = deps.clock
        now = self._clock.now()
        self._silent = False
        self.status = SessionStatus(
            session=deps.session,
            state=State.STOPPED,
            reason=Reason.NOT_STARTED,
            since=now,
            updated_at=now,
            epoch=epoch,
            worker=deps.worker,
            session_path=deps.session_path,
            saves_path=deps.saves_path,
        )

    def set(self, **facts: object) -> None:
        """Replace fields of the status; nothing is published."""
        self.status = msgspec.structs.replace(self.status, **facts)

    def silence(self) -> None:
        """Another worker reports from now on: what this one still says would stand in the place of its newer status."""
        self._silent = True

    async def publish(self) -> None:
        if self._silent or not self._owns():
            return
        self.set(updated_at=self._clock.now())
        try:
            await self._deps.publish_status(self.status)
        except ServiceError as error:
            log.debug("status_not_published", code=error.code)

    async def changed(self, session: Session) -> None:
        """The machine has moved: keep the transition, publish the status and the event."""
        before, now = self.status, self._clock.now()
        seconds = (now - before.since).total_seconds()
        transition = Transition(at=now, state=session.state, reason=session.reason, seconds=seconds)
        self.set(
            state=session.state,
            reason=session.reason,
            detail=DETAILS[session.reason],
            since=now if session.state != before.state else before.since,
            history=(*before.history, transition)[-HISTORY:],
        )
        log.info("session_state", session=self._deps.session, state=session.state.value, reason=session.reason)
        await self.publish()
        if session.state != before.state:
            await self._deps.publish_event("session", "state_changed", self._event(before.state, now, seconds))

    def _event(self, before: str, at: datetime, seconds: float) -> StateChanged:
        return StateChanged(
            session=self._deps.session,
            at=at,
            epoch=self.status.epoch,
            before=before,
            state=self.status.state,
            reason=self.status.reason,
            seconds=seconds,
        )
