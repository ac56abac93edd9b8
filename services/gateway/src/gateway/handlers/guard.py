"""Lets requests in: API key or cookie, CSRF token, origin.

Closed by default: a route is open only when its function carries `open_to_all`. `before_request` also runs for
addresses that do not exist, so that strangers cannot even learn which addresses do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from flask import Flask, Response, current_app, g, request

from gateway.domain.addresses import client_of, network_of
from gateway.domain.auth import Authenticator, bearer, same_origin
from gateway.domain.request_errors import Forbidden, RateLimited, Unauthorized
from gateway.usecases.check_login import CheckLogin
from gateway.usecases.limits import RateLimits
from shared.contracts.errors import TryAgain
from shared.contracts.identifiers import MAX_BODY_BYTES
from shared.contracts.logins import LoginRecord
from shared.runtime import get_logger

CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HOW_TO_SEND_A_KEY = "send it as X-API-Key or as Authorization: Bearer"
STRICT_TRANSPORT = "max-age=31536000"
"""A year of https only. Without includeSubDomains, which is the decision of the domain's owner."""

F = TypeVar("F", bound=Callable[..., object])


def open_to_all(view: F) -> F:
    """Mark a view function that needs no key."""
    view.open_to_all = True  # type: ignore[attr-defined]
    return view


@dataclass(frozen=True)
class Guard:
    """`trusted_proxies`: how many proxies in front of the gateway write X-Forwarded-*. `always_https`: clients reach
    the gateway by https alone, whatever a proxy says."""

    authenticator: Authenticator
    check_login: CheckLogin
    rate_limits: RateLimits
    count_wrong_key: Callable[[str], None]
    trusted_proxies: int = 0
    always_https: bool = False

    def install(self, app: Flask) -> None:
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        app.before_request(self.authenticate)
        app.after_request(self.demand_https)

    def authenticate(self) -> None:
        """Fill `g.began`; `g.login`, which is None when a key was presented; and `g.principal`, who asks: the holder of
        the API key, with the key itself or through a login made with it. Raises Unauthorized, RateLimited, Forbidden,
        TryAgain."""
        g.began = perf_counter()
        g.login = None
        g.principal = self.authenticator.key_id
        if _is_open():
            return
        if key := presented_key():
            if not self.authenticator.accepts(key):
                raise self.wrong_key("header")
            return
        g.login = self._login(used=request.method not in SAFE_METHODS)
        if g.login is None:
            raise Unauthorized("an API key is required", hint=HOW_TO_SEND_A_KEY)
        if request.method not in SAFE_METHODS:
            self.check_csrf(g.login.id)

    def demand_https(self, response: Response) -> Response:
        if self.is_https():
            response.headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
        return response

    def still_allowed(self) -> Callable[[], bool]:
        """Tells whether what let this request in still would; for answers that last."""
        if g.login is None:
            return lambda: True
        login_id: str = g.login.id
        return lambda: self.check_login.lasts(login_id)

    def carries_key(self) -> bool:
        """Whether the request carries the right key in a header."""
        key = presented_key()
        return bool(key) and self.authenticator.accepts(key)

    def wrong_key(self, way: str) -> Unauthorized | RateLimited:
        """Count a wrong key that came by `way` (header, login, metrics), and return the error to raise. The key itself
        goes nowhere. Only wrong keys are slowed: a right one was let in before this is asked."""
        self.count_wrong_key(way)
        network = network_of(self.client_address())
        wrong = self.rate_limits.count_wrong_key(network)
        if self.rate_limits.may_log(wrong):
            get_logger().warning("wrong_key", way=way, network=network, count=wrong.count, wait_seconds=wrong.wait)
        if wrong.wait:
            return RateLimited(
                "the API key is wrong, and so were too many before it from this address",
                code="too_many_wrong_keys",
                retry_after=wrong.wait,
                hint=f"the right key is let in at once; a wrong one is answered again in {wrong.wait} s",
            )
        code = "wrong_key" if way == "login" else ""
        return Unauthorized("the API key is wrong", code=code, hint="" if code else HOW_TO_SEND_A_KEY)

    def page_login(self) -> tuple[LoginRecord | None, bool]:
        """The login of a visitor of the page, and whether it is unknown now whether there is one."""
        if presented_key():
            return None, False
        try:
            return self._login(used=True), False
        except TryAgain:
            return None, True

    def cookie_login_id(self) -> str:
        """The id of the login that the cookie names, lasting or ended, or ""."""
        cookie = request.cookies.get(self.cookie_name(), "")
        return self.authenticator.login_id(cookie) if cookie else ""

    def cookie_name(self) -> str:
        """With `__Host-`, which no other host and no http page can write, as soon as the connection is https."""
        name = self.authenticator.cookie_name
        return f"__Host-{name}" if self.is_https() else name

    def csrf_token(self, login_id: str) -> str:
        return self.authenticator.csrf_token(login_id)

    def check_csrf(self, login_id: str) -> None:
        """With a cookie alone a client may only read: a request that changes something must come from our own page.
        Raises Forbidden."""
        if not self.authenticator.accepts_csrf(login_id, request.headers.get(CSRF_HEADER, "")):
            raise Forbidden("the CSRF token is missing or wrong", code="csrf", hint="reload the page and try again")
        self.check_origin()

    def check_origin(self) -> None:
        """Raises Forbidden."""
        origin, site = request.headers.get("Origin", ""), request.headers.get("Sec-Fetch-Site", "")
        scheme = "https" if self.is_https() else "http"
        if not same_origin(origin, site, self._host(), scheme):
            hint = "a proxy that takes https must send X-Forwarded-Proto" if origin.startswith("https://") else ""
            raise Forbidden("the request comes from another site", code="foreign_origin", hint=hint)

    def check_origin_of_browser(self) -> None:
        """A login from another site would put the visitor into a stranger's session. A program sends no Origin and may
        pass. Raises Forbidden."""
        if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
            self.check_origin()

    def client_address(self) -> str:
        """The client's address, as the outermost trusted proxy saw it."""
        forwarded = request.headers.get("X-Forwarded-For", "")
        return client_of(request.remote_addr or "", forwarded, self.trusted_proxies)

    def is_https(self) -> bool:
        """Whether the client's connection is https. X-Forwarded-Proto may be believed from anybody: no page can make a
        visitor's browser send it here, and whoever writes it for themselves gets a stricter answer."""
        return self.always_https or request.is_secure or request.headers.get("X-Forwarded-Proto", "") == "https"

    def _host(self) -> str:
        forwarded = request.headers.get("X-Forwarded-Host", "") if self.trusted_proxies else ""
        return forwarded or request.host

    def _login(self, *, used: bool) -> LoginRecord | None:
        login_id = self.cookie_login_id()
        return self.check_login(login_id, used=used) if login_id else None


def presented_key() -> str:
    """The key in a header, right or wrong, or ""."""
    return request.headers.get("X-API-Key", "") or bearer(request.headers.get("Authorization", ""))


def _is_open() -> bool:
    if request.endpoint == "static":
        return True
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "open_to_all", False)
