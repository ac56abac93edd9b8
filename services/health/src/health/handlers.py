"""The one request that this service answers: the verdict about a session, now."""

from __future__ import annotations

from shared.bus import Call
from shared.clock import Clock
from shared.contracts.errors import Invalid
from shared.contracts.health import HealthReport, Judge
from shared.contracts.identifiers import BadIdentifier, session_id

from .domain.session_tracker import SessionTracker


class JudgeHandler:
    """Answers from what the tracker remembers. A session that nobody knows was never started."""

    def __init__(self, tracker: SessionTracker, clock: Clock) -> None:
        self._tracker = tracker
        self._clock = clock

    async def judge(self, _: Judge, call: Call) -> HealthReport:
        """Raises Invalid where the subject holds no session id."""
        try:
            session = session_id(call.session)
        except BadIdentifier as error:
            raise Invalid(str(error)) from None
        return self._tracker.verdict(session, self._clock.now())
