"""Signs of life and figures. Readiness says little to strangers: no addresses, no names."""

from __future__ import annotations

import hmac
import ipaddress

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from gateway.domain.auth import bearer
from gateway.domain.refusals import Unauthorized
from shared.runtime.metrics import CONTENT_TYPE

from . import replies
from .door import Door
from .guard import key_given, open_to_all


def blueprint(door: Door) -> Blueprint:
    routes = Blueprint("ops", __name__)

    @routes.get("/health/live")
    @open_to_all
    def live() -> Response:
        return replies.json({"status": "live"})

    @routes.get("/health/ready")
    @open_to_all
    def ready() -> Response:
        is_ready, why = door.view.ready()
        return replies.json({"status": "ready" if is_ready else "not ready", "detail": why}, 200 if is_ready else 503)

    @routes.get("/metrics")
    @open_to_all  # checks by itself: a scraper has its own token
    def metrics() -> Response:
        _may_scrape(door)
        return Response(door.metrics.render(), content_type=CONTENT_TYPE)

    @routes.get("/")
    @open_to_all
    def root() -> BaseResponse:
        return redirect("/persistent-session")

    return routes


def _may_scrape(door: Door) -> None:
    """The token when one is set, else from this machine; the API key always."""
    presented = bearer(request.headers.get("Authorization", ""))
    if key_given(door.keyring):
        return
    if door.metrics_token:
        if hmac.compare_digest(presented.encode(), door.metrics_token.encode()):
            return
    elif not presented and "X-API-Key" not in request.headers and _from_this_machine():
        return
    raise Unauthorized("a token is required", hint="send METRICS_TOKEN as Authorization: Bearer")


def _from_this_machine() -> bool:
    """A proxy on this machine would make everybody local, so a forwarded request never is."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
