"""Read what is observed of a session, from memory: no request to the bus."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.observed import ObservedSession
from gateway.ports import View
from shared.contracts.errors import NotFound, Unavailable
from shared.contracts.sessions import State


@dataclass(frozen=True)
class ReadStatus:
    view: View
    default_session: str

    def __call__(self, session: str) -> ObservedSession:
        """Raises Unavailable until the present state was read once."""
        if not self.view.loaded:
            raise Unavailable(
                "the state is not known yet: NATS has not answered since the start",
                hint="check that NATS runs and that NATS_URL points to it",
            )
        return self.view.session(session)

    def existing(self, session: str) -> str:
        """`session`, or the default session for "", which always exists. Raises NotFound."""
        session = session or self.default_session
        if session != self.default_session and self.view.loaded and not self.view.session(session).known:
            raise NotFound("no such session", hint="initialize makes it")
        return session

    def sessions(self) -> list[str]:
        return self.view.sessions()

    def version(self) -> int:
        """Grows with every change that a reader would notice."""
        return self.view.version()

    def qr(self, session: str) -> str:
        """The text of the QR code to scan. Raises NotFound when there is nothing to scan."""
        observed = self.view.session(session)
        pairing = observed.status.pairing if observed.status else None
        if pairing is None or pairing.qr is None or observed.owner is None or observed.state is not State.PAIRING:
            raise NotFound("there is no QR code now", code="no_qr", hint=f"state: {observed.state}")
        return pairing.qr
