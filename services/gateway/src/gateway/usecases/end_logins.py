"""List the logins of the page, and end one or all of them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.ports import Logins
from shared.contracts.errors import NotFound, Unavailable
from shared.contracts.logins import LoginRecord

WAIT_SECONDS = 1.0
"""For NATS to take the news of an end."""


@dataclass(frozen=True)
class ListLogins:
    logins: Logins

    def __call__(self) -> list[LoginRecord]:
        """The newest first. Raises Unavailable."""
        return sorted(self.logins.all(), key=lambda each: each.created_at, reverse=True)


@dataclass(frozen=True)
class EndLogins:
    """Each end counts at once at this gateway. Raises Unavailable with the code `end_pending` when NATS, and with it
    other gateways and this one after a restart, must be told later."""

    logins: Logins

    def one(self, login_id: str) -> None:
        """Raises NotFound, TryAgain."""
        if self.logins.find(login_id) is None:
            raise NotFound("no such login", hint="it may have ended already")
        self._end([login_id])

    def own(self, login_id: str) -> None:
        """Log out: also where nobody can tell whether the login still lasts."""
        self._end([login_id])

    def all(self) -> list[str]:
        """The ids of those that ended."""
        ids = [login.id for login in self.logins.all()]
        self._end(ids)
        return ids

    def _end(self, login_ids: list[str]) -> None:
        if not self.logins.end(login_ids, timeout=WAIT_SECONDS):
            raise Unavailable(
                "ended at this gateway; NATS cannot be reached and is told as soon as it is back",
                code="end_pending",
                hint="until then another gateway, or this one after a restart, may take the login for good",
            )
