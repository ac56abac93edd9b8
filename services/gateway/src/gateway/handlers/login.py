"""Log in to the page with the API key, and log out."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from gateway.domain.auth import COOKIE_SECONDS
from gateway.domain.request_errors import Unauthorized
from gateway.usecases.limits import RateLimits
from gateway.usecases.log_in import LogIn
from shared.contracts.errors import Invalid
from shared.runtime import get_logger

from . import inputs, replies
from .guard import COOKIE, Guard, open_to_all


def blueprint(log_in: LogIn, guard: Guard, rate_limits: RateLimits) -> Blueprint:
    routes = Blueprint("login", __name__)

    @routes.post("/persistent-session/login")
    @open_to_all
    def login() -> Response:
        rate_limits.take_login(guard.client_address())
        guard.check_origin_of_browser()
        key = inputs.body(request.get_data()).get("key")
        if not isinstance(key, str) or not key:
            raise Invalid("the field key is missing", code="missing_field")
        try:
            logged_in = log_in(key.strip())
        except Unauthorized:
            get_logger().warning("login_refused")
            raise
        response = replies.json({"success": True, "message": "Logged in", "csrfToken": logged_in.csrf_token})
        response.set_cookie(
            COOKIE,
            logged_in.cookie,
            max_age=COOKIE_SECONDS,
            httponly=True,
            secure=guard.is_https(),
            samesite="Strict",
        )
        get_logger().info("login")
        return response

    @routes.post("/persistent-session/logout")
    @open_to_all
    def logout() -> Response:
        if g.login is not None:
            guard.check_csrf(g.login)
        response = replies.json({"success": True, "message": "Logged out"})
        response.delete_cookie(COOKIE, httponly=True, secure=guard.is_https(), samesite="Strict")
        return response

    return routes
