"""The observed state of one session: collects what is known and publishes it. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from browser_worker.domain.details import DETAILS
from browser_worker.domain.session import Session
from shared.contracts.errors import ServiceError
from shared.contracts.events import StateChanged
from shared.contracts.sessions import Reason, SessionStatus, State, Transition
from shared.runtime import get_logger

from .dependencies import Dependencies

HISTORY = 100
"""Transitions kept in the status."""

log = get_logger()


class Reporter:
    """Holds the newest SessionStatus. Publishing is best effort: the next status carries everything again."""

    def __init__(self, deps: Dependencies, epoch: int, owns: Callable[[], bool]) -> None:
        """`owns`: whether the lease can still be ours. A worker that wakes from a long sleep does not know yet that
        another worker has taken over, and its old status must not replace the newer one."""
        self._deps = deps
        self._owns = owns
        self._clock = deps.clock
        self._silent = False
        self._launched_at = 0.0
        self._state_since = self._clock.monotonic()
        now = self._clock.now()
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

    def seconds_connected(self) -> float | None:
        """None while the session is not connected."""
        return self._clock.monotonic() - self._state_since if self.status.state == State.CONNECTED else None

    def launch_began(self) -> None:
        self._launched_at = self._clock.monotonic()

    def launch_connected(self) -> None:
        """Note how long the newest launch took to be connected; only its first connection counts."""
        browser = self.status.browser
        if not browser.connected_after_ms:
            milliseconds = round((self._clock.monotonic() - self._launched_at) * 1000, 1)
            self.set(browser=msgspec.structs.replace(browser, connected_after_ms=milliseconds))

    def silence(self) -> None:
        """Another worker reports from now on: a further status of this worker would replace the newer one."""
        self._silent = True

    async def publish(self) -> None:
        if self._silent or not self._owns():
            return
        self.set(updated_at=self._clock.now(), sequence=self.status.sequence + 1)
        try:
            await self._deps.publish_status(self.status)
        except ServiceError as error:
            log.debug("status_not_published", code=error.code)

    async def changed(self, session: Session) -> None:
        """The session has moved: record the transition, publish the status and the event."""
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
        log.info("session_state", session=self._deps.session, state=session.state.value, reason=session.reason.value)
        if session.state != before.state:
            self._state_since = self._clock.monotonic()
        await self.publish()
        if session.state != before.state:
            await self._deps.publish_event("session", "state_changed", self._event(before.state, now, seconds))

    def alert(self, session: Session) -> None:
        """Tell the operator that a person must look."""
        log.error("needs_attention", session=self._deps.session, state=session.state.value, reason=session.reason.value)

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
