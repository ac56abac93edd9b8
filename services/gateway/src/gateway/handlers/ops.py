"""Health and metrics of the gateway itself. Readiness tells strangers little: no addresses, no names."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from gateway.domain.auth import bearer
from gateway.domain.request_errors import Unauthorized
from shared.runtime import Metrics
from shared.runtime.metrics import CONTENT_TYPE

from . import replies
from .guard import Guard, open_to_all, presented_key


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
    """The API key passes, and the token where one is set. Being on this machine opens nothing: other users and the
    pages of a browser are there too. Raises Unauthorized."""
    presented = bearer(request.headers.get("Authorization", ""))
    if guard.carries_key():
        return
    if metrics_token and hmac.compare_digest(presented.encode(), metrics_token.encode()):
        return
    if presented_key():
        raise guard.wrong_key("metrics")
    hint = "send METRICS_TOKEN as Authorization: Bearer" if metrics_token else "set METRICS_TOKEN, or send the API key"
    raise Unauthorized("a token is required", hint=hint)
