"""Lets requests in: key or cookie, CSRF, rate limits, the size of bodies.

Closed by default: a route is open only when its function carries `open_to_all`. The trap: `before_request` also runs
for addresses that do not exist, so that strangers cannot even learn which ones do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app, g, request
from werkzeug.exceptions import HTTPException

from gateway.domain.auth import Keyring, Login, bearer, same_origin
from gateway.domain.limits import Limiter
from gateway.domain.refusals import Forbidden, RateLimited, Unauthorized
from shared.contracts.errors import ServiceError
from shared.contracts.identifiers import MAX_BODY_BYTES

from . import replies
from .door import Door, Limits

COOKIE = "persistent_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

F = TypeVar("F", bound=Callable[..., object])


def open_to_all(view: F) -> F:
    """Mark a view function that needs no key."""
    view.open_to_all = True  # type: ignore[attr-defined]
    return view


def install(app: Flask, door: Door) -> None:
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    @app.before_request
    def check() -> None:
        authenticate(door)

    app.after_request(replies.secure)
    app.register_error_handler(ServiceError, replies.of_service_error)
    app.register_error_handler(HTTPException, replies.of_http_error)
    app.register_error_handler(Exception, replies.of_crash)


def authenticate(door: Door) -> None:
    """Fill `g.login` (None when a key was presented). Raises Unauthorized, Forbidden."""
    g.login = None
    key = request.headers.get("X-API-Key", "") or bearer(request.headers.get("Authorization", ""))
    if _is_open():
        g.login = None if key else login_of_cookie(door)
        return
    if key:
        if not door.keyring.accepts(key):
            raise Unauthorized("the API key is wrong", hint="send it as X-API-Key or as Authorization: Bearer")
        return
    g.login = login_of_cookie(door)
    if g.login is None:
        raise Unauthorized("an API key is required", hint="send it as X-API-Key or as Authorization: Bearer")
    if request.method not in SAFE_METHODS:
        check_csrf(door, g.login)


def login_of_cookie(door: Door) -> Login | None:
    cookie = request.cookies.get(COOKIE, "")
    return door.keyring.read(cookie, door.clock.now().timestamp()) if cookie else None


def check_csrf(door: Door, login: Login) -> None:
    """A cookie alone may only read: whoever changes something proves to be our own page."""
    if not door.keyring.accepts_csrf(login, request.headers.get(CSRF_HEADER, "")):
        raise Forbidden("the CSRF token is missing or wrong", code="csrf", hint="reload the page and try again")
    check_origin(door)


def check_origin(door: Door) -> None:
    if not same_origin(request.headers.get("Origin", ""), request.headers.get("Sec-Fetch-Site", ""), _host(door)):
        raise Forbidden("the request comes from another site", code="foreign_origin")


def key_given(keyring: Keyring) -> bool:
    """Whether the request carries the right key in a header."""
    key = request.headers.get("X-API-Key", "") or bearer(request.headers.get("Authorization", ""))
    return bool(key) and keyring.accepts(key)


def limit(door: Door, which: Callable[[Limits], Limiter], key: str) -> None:
    """Take one token. Raises RateLimited."""
    limiter = which(door.limits)
    with door.limits.lock:
        wait = limiter.take(key, door.clock.monotonic())
    if wait:
        raise RateLimited("too many requests", retry_after=wait, hint=f"try again in {wait} s")


def client_address(door: Door) -> str:
    """The address of the client as the outermost trusted proxy saw it."""
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if door.trusted_proxies and len(forwarded) >= door.trusted_proxies:
        return forwarded[-door.trusted_proxies]
    return request.remote_addr or ""


def is_https(door: Door) -> bool:
    return door.secure_cookie or request.is_secure or request.headers.get("X-Forwarded-Proto", "") == "https"


def _host(door: Door) -> str:
    forwarded = request.headers.get("X-Forwarded-Host", "") if door.trusted_proxies else ""
    return forwarded or request.host


def _is_open() -> bool:
    if request.endpoint == "static":
        return True
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "open_to_all", False)
