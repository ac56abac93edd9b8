"""Whether a login still lasts."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.logins import USE_PRECISION
from gateway.ports import Logins
from shared.clock import Clock
from shared.contracts.errors import TryAgain
from shared.contracts.logins import LoginRecord


@dataclass(frozen=True)
class CheckLogin:
    logins: Logins
    clock: Clock

    def __call__(self, login_id: str, *, used: bool) -> LoginRecord | None:
        """`used`: a person did something, which puts the idle end off. What an open page asks on its own does not.
        Raises TryAgain when nobody can tell."""
        login = self.logins.find(login_id)
        now = self.clock.now()
        if login is not None and used and now - login.seen_at >= USE_PRECISION:
            login = login.used(now)
            self.logins.use(login)
        return login

    def lasts(self, login_id: str) -> bool:
        """For a login that lasted a moment ago: when nobody can tell, it still does."""
        try:
            return self.logins.find(login_id) is not None
        except TryAgain:
            return True
