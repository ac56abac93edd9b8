"""The page /persistent-session: its HTML in the visitor's language.

Without a login the page shows the login form and nothing else, so it reaches everything that it shows through the API.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template, request

from gateway.domain import texts
from gateway.usecases.read_status import ReadStatus

from . import inputs
from .guard import Guard, open_to_all, presented_key
from .legacy import PATH

LANGUAGE_COOKIE = "persistent_session_language"
YEAR = 365 * 24 * 3600
STATIC = Path(__file__).resolve().parent.parent / "static"


def blueprint(read_status: ReadStatus, guard: Guard) -> Blueprint:
    routes = Blueprint("page", __name__)

    @routes.get("/persistent-session")
    @open_to_all
    def page() -> Response:
        if presented_key() and not guard.carries_key():
            raise guard.wrong_key("header")
        language = _language()
        response = make_response(_html(read_status, guard, language))
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Language"] = language
        response.headers["Vary"] = "Accept-Language, Cookie"
        if request.args.get("lang") in texts.LANGUAGES:
            _remember(response, language, secure=guard.is_https())
        return response

    return routes


def _html(read_status: ReadStatus, guard: Guard, language: str) -> str:
    default = read_status.default_session
    login, unknown = guard.page_login()
    return render_template(
        "page.html",
        language=language,
        other=texts.other(language),
        direction=texts.direction(language),
        t=texts.of(language),
        texts=texts.of(language),
        csrf=guard.csrf_token(login.id) if login else "",
        logged_in=login is not None,
        login_unknown=unknown,
        api=PATH,
        session=inputs.session(request.args.get("session", "")) or default,
        default_session=default,
        sessions=read_status.sessions() if login else [],
        stamp=_stamp(),
    )


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
