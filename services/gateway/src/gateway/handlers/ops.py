"""Health and metrics of the gateway itself. Readiness tells strangers little: no addresses, no names."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from gateway.domain.auth import bearer
from gateway.domain.request_errors import Unauthorized
from shared.runtime import Metrics
from shared.runtime.metrics import CONTENT_TYPE

from . import replies
from .guard import Guard, open_to_all


def blueprint(
    guard: Guard, metrics: Metrics, readiness: Callable[[], tuple[bool, str]], metrics_token: str
) -> Blueprint:
    routes = Blueprint("ops", __name__)

    @routes.get("/health/live")
    @open_to_all
    def live() -> Response:
        return replies.json({"status": "live"})

    @routes.get("/health/ready")
    @open_to_all
    def ready() -> Response:
        is_ready, why = readiness()
        return replies.json({"status": "ready" if is_ready else "not ready", "detail": why}, 200 if is_ready else 503)

    @routes.get("/metrics")
    @open_to_all  # because a scraper has a token of its own, which `_check_scraper` knows
    def scrape() -> Response:
        _check_scraper(guard, metrics_token)
        return Response(metrics.render(), content_type=CONTENT_TYPE)

    @routes.get("/")
    @open_to_all
    def root() -> BaseResponse:
        return redirect("/persistent-session")

    return routes


def _check_scraper(guard: Guard, metrics_token: str) -> None:
    """The API key always passes; else the token, where one is set; else a request from this machine. Raises
    Unauthorized."""
    presented = bearer(request.headers.get("Authorization", ""))
    if guard.carries_key():
        return
    if metrics_token:
        if hmac.compare_digest(presented.encode(), metrics_token.encode()):
            return
    elif not presented and "X-API-Key" not in request.headers and _from_this_machine():
        return
    raise Unauthorized("a token is required", hint="send METRICS_TOKEN as Authorization: Bearer")


def _from_this_machine() -> bool:
    """A proxy on this machine would make everybody local, so a forwarded request never counts as local."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
