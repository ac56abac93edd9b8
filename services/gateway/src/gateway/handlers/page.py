"""The page /persistent-session: its HTML in the visitor's language, login and logout.

The trap: the page without a login must show nothing but the login form, so everything else reaches it through the API.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, g, make_response, render_template, request

from gateway.domain import inputs, texts
from gateway.domain.auth import COOKIE_SECONDS
from gateway.domain.refusals import Unauthorized
from shared.contracts.errors import Invalid
from shared.runtime import get_logger

from . import replies
from .door import Door
from .guard import COOKIE, check_csrf, check_origin, client_address, is_https, key_given, limit, open_to_all
from .session_api import PATH

LANGUAGE_COOKIE = "persistent_session_language"
YEAR = 365 * 24 * 3600
STATIC = Path(__file__).resolve().parent.parent / "static"


def blueprint(door: Door) -> Blueprint:
    routes = Blueprint("page", __name__)

    @routes.get("/persistent-session")
    @open_to_all
    def page() -> Response:
        if _presents_key() and not key_given(door.keyring):
            raise Unauthorized("the API key is wrong")
        language = _language()
        response = make_response(
            render_template(
                "page.html",
                language=language,
                other=texts.other(language),
                direction=texts.direction(language),
                t=texts.of(language),
                texts=texts.of(language),
                csrf=door.keyring.csrf_token(g.login) if g.login else "",
                logged_in=g.login is not None,
                api=PATH,
                session=inputs.session(request.args.get("session", "")) or door.client_id,
                default_session=door.client_id,
                sessions=door.view.sessions() if g.login else [],
                stamp=_stamp(),
            )
        )
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Language"] = language
        response.headers["Vary"] = "Accept-Language, Cookie"
        if request.args.get("lang") in texts.LANGUAGES:
            _remember(response, language, secure=is_https(door))
        return response

    @routes.post("/persistent-session/login")
    @open_to_all
    def login() -> Response:
        limit(door, lambda limits: limits.login, client_address(door))
        check_origin_when_browser(door)
        key = inputs.body(request.get_data()).get("key")
        if not isinstance(key, str) or not key:
            raise Invalid("the field key is missing", code="missing_field")
        if not door.keyring.accepts(key.strip()):
            get_logger().warning("login_refused")
            raise Unauthorized("the API key is wrong", code="wrong_key")
        cookie, made = door.keyring.issue(secrets.token_urlsafe(24), door.clock.now().timestamp())
        response = replies.json({"success": True, "message": "Logged in", "csrfToken": door.keyring.csrf_token(made)})
        secure = is_https(door)
        response.set_cookie(COOKIE, cookie, max_age=COOKIE_SECONDS, httponly=True, secure=secure, samesite="Strict")
        get_logger().info("login")
        return response

    @routes.post("/persistent-session/logout")
    @open_to_all
    def logout() -> Response:
        if g.login is not None:
            check_csrf(door, g.login)
        response = replies.json({"success": True, "message": "Logged out"})
        response.delete_cookie(COOKIE, httponly=True, secure=is_https(door), samesite="Strict")
        return response

    return routes


def check_origin_when_browser(door: Door) -> None:
    """A login from another site would put the visitor into a stranger's session; a program sends no Origin."""
    if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
        check_origin(door)


def _presents_key() -> bool:
    return "X-API-Key" in request.headers or "Authorization" in request.headers


def _language() -> str:
    asked = request.args.get("lang", "")
    return texts.choose(asked, request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("Accept-Language", ""))


def _remember(response: Response, language: str, *, secure: bool) -> None:
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR, httponly=True, secure=secure, samesite="Lax")


@cache
def _stamp() -> str:
    """Changes with the static files, so that a browser never mixes two versions."""
    digest = hashlib.sha256()
    for file in sorted(STATIC.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
