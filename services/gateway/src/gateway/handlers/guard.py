"""Lets requests in: API key or cookie, CSRF token, origin.

Closed by default: a route is open only when its function carries `open_to_all`. `before_request` also runs for
addresses that do not exist, so that strangers cannot even learn which addresses do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from flask import Flask, current_app, g, request

from gateway.domain.auth import Authenticator, Login, bearer, same_origin
from gateway.domain.request_errors import Forbidden, Unauthorized
from shared.clock import Clock
from shared.contracts.identifiers import MAX_BODY_BYTES

COOKIE = "persistent_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

F = TypeVar("F", bound=Callable[..., object])


def open_to_all(view: F) -> F:
    """Mark a view function that needs no key."""
    view.open_to_all = True  # type: ignore[attr-defined]
    return view


@dataclass(frozen=True)
class Guard:
    """`trusted_proxies`: how many proxies in front of the gateway write X-Forwarded-*. `secure_cookie`: the cookie is
    always Secure, not only when a proxy says https."""

    authenticator: Authenticator
    clock: Clock
    trusted_proxies: int = 0
    secure_cookie: bool = False

    def install(self, app: Flask) -> None:
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        app.before_request(self.authenticate)

    def authenticate(self) -> None:
        """Fill `g.began`, and `g.login`, which is None when a key was presented. Raises Unauthorized, Forbidden."""
        g.began = perf_counter()
        g.login = None
        key = presented_key()
        if _is_open():
            g.login = None if key else self._login_of_cookie()
            return
        if key:
            if not self.authenticator.accepts(key):
                raise Unauthorized("the API key is wrong", hint="send it as X-API-Key or as Authorization: Bearer")
            return
        g.login = self._login_of_cookie()
        if g.login is None:
            raise Unauthorized("an API key is required", hint="send it as X-API-Key or as Authorization: Bearer")
        if request.method not in SAFE_METHODS:
            self.check_csrf(g.login)

    def carries_key(self) -> bool:
        """Whether the request carries the right key in a header."""
        key = presented_key()
        return bool(key) and self.authenticator.accepts(key)

    def csrf_token(self, login: Login) -> str:
        return self.authenticator.csrf_token(login)

    def check_csrf(self, login: Login) -> None:
        """With a cookie alone a client may only read: a request that changes something must come from our own page.
        Raises Forbidden."""
        if not self.authenticator.accepts_csrf(login, request.headers.get(CSRF_HEADER, "")):
            raise Forbidden("the CSRF token is missing or wrong", code="csrf", hint="reload the page and try again")
        self.check_origin()

    def check_origin(self) -> None:
        """Raises Forbidden."""
        origin, site = request.headers.get("Origin", ""), request.headers.get("Sec-Fetch-Site", "")
        if not same_origin(origin, site, self._host()):
            raise Forbidden("the request comes from another site", code="foreign_origin")

    def check_origin_of_browser(self) -> None:
        """A login from another site would put the visitor into a stranger's session. A program sends no Origin and may
        pass. Raises Forbidden."""
        if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
            self.check_origin()

    def client_address(self) -> str:
        """The client's address, as the outermost trusted proxy saw it."""
        forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
        if self.trusted_proxies and len(forwarded) >= self.trusted_proxies:
            return forwarded[-self.trusted_proxies]
        return request.remote_addr or ""

    def is_https(self) -> bool:
        return self.secure_cookie or request.is_secure or request.headers.get("X-Forwarded-Proto", "") == "https"

    def _host(self) -> str:
        forwarded = request.headers.get("X-Forwarded-Host", "") if self.trusted_proxies else ""
        return forwarded or request.host

    def _login_of_cookie(self) -> Login | None:
        cookie = request.cookies.get(COOKIE, "")
        return self.authenticator.read(cookie, self.clock.now().timestamp()) if cookie else None


def presented_key() -> str:
    """The key in a header, right or wrong, or ""."""
    return request.headers.get("X-API-Key", "") or bearer(request.headers.get("Authorization", ""))


def _is_open() -> bool:
    if request.endpoint == "static":
        return True
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "open_to_all", False)
