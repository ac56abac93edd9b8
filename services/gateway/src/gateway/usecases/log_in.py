"""Log in to the page with the API key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from gateway.domain.auth import Authenticator
from gateway.domain.request_errors import Unauthorized
from shared.clock import Clock

NONCE_BYTES = 24


@dataclass(frozen=True)
class LoggedIn:
    """The value of the login's cookie, and the CSRF token that belongs to it."""

    cookie: str
    csrf_token: str


@dataclass(frozen=True)
class LogIn:
    authenticator: Authenticator
    clock: Clock

    def __call__(self, key: str) -> LoggedIn:
        """Raises Unauthorized with the code `wrong_key`."""
        if not self.authenticator.accepts(key):
            raise Unauthorized("the API key is wrong", code="wrong_key")
        cookie, login = self.authenticator.issue(secrets.token_urlsafe(NONCE_BYTES), self.clock.now().timestamp())
        return LoggedIn(cookie, self.authenticator.csrf_token(login))
