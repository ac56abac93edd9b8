"""Log in to the page with the API key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from gateway.domain.auth import Authenticator
from gateway.domain.request_errors import Unauthorized
from gateway.ports import Logins
from shared.clock import Clock
from shared.contracts.logins import LoginRecord

SECRET_BYTES = 32
WAIT_SECONDS = 1.0
"""For NATS to know a login before the browser comes with it, perhaps to another gateway."""


@dataclass(frozen=True)
class LoggedIn:
    """The value of the login's cookie, which exists here and in the browser only, and the CSRF token of the login."""

    cookie: str
    csrf_token: str


@dataclass(frozen=True)
class LogIn:
    authenticator: Authenticator
    logins: Logins
    clock: Clock

    def __call__(self, key: str, *, address: str, client: str, replaces: str = "") -> LoggedIn:
        """`replaces`: the id of the login that the browser had before. Raises Unauthorized with the code
        `wrong_key`."""
        if not self.authenticator.accepts(key):
            raise Unauthorized("the API key is wrong", code="wrong_key")
        cookie = self.authenticator.cookie(secrets.token_urlsafe(SECRET_BYTES))
        login_id, now = self.authenticator.login_id(cookie), self.clock.now()
        login = LoginRecord(
            id=login_id,
            key_id=self.authenticator.key_id,
            created_at=now,
            seen_at=now,
            address=address,
            client=client,
        )
        self.logins.add(login, timeout=WAIT_SECONDS)
        if replaces:
            self.logins.end([replaces], timeout=0)
        return LoggedIn(cookie, self.authenticator.csrf_token(login_id))
