"""Log in to the page with the API key, and log out."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, request

from gateway.domain.addresses import network_of
from gateway.domain.logins import client_name
from gateway.domain.request_errors import Unauthorized
from gateway.usecases import UseCases
from shared.contracts.errors import Invalid
from shared.runtime import get_logger

from . import inputs, replies
from .guard import Guard, open_to_all


def blueprint(use_cases: UseCases, guard: Guard, *, longest: timedelta) -> Blueprint:
    """`longest`: how long a login lasts at most."""
    routes = Blueprint("login", __name__)

    @routes.post("/persistent-session/login")
    @open_to_all
    def login() -> Response:
        guard.check_origin_of_browser()
        key = inputs.body(request.get_data()).get("key")
        if not isinstance(key, str) or not key:
            raise Invalid("the field key is missing", code="missing_field")
        try:
            logged_in = use_cases.log_in(
                key.strip(),
                address=network_of(guard.client_address()),
                client=client_name(request.headers.get("User-Agent", "")),
                replaces=guard.cookie_login_id(),
            )
        except Unauthorized:
            raise guard.wrong_key("login") from None
        response = replies.json({"success": True, "message": "Logged in", "csrfToken": logged_in.csrf_token})
        response.set_cookie(
            guard.cookie_name(),
            logged_in.cookie,
            max_age=longest,
            httponly=True,
            secure=guard.is_https(),
            samesite="Strict",
        )
        get_logger().info("login")
        return response

    @routes.post("/persistent-session/logout")
    @open_to_all
    def logout() -> Response:
        if login_id := guard.cookie_login_id():
            guard.check_csrf(login_id)
            use_cases.end_logins.own(login_id)
            get_logger().info("logout")
        return forget_cookie(replies.json({"success": True, "message": "Logged out"}), guard)

    return routes


def forget_cookie(response: Response, guard: Guard) -> Response:
    """Let the browser forget its login."""
    response.delete_cookie(guard.cookie_name(), httponly=True, secure=guard.is_https(), samesite="Strict")
    return response
