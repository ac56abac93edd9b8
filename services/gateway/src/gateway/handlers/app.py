"""The Flask application: all routes behind one guard."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from flask import Flask, Response, g, request

from shared.contracts.metrics import GATEWAY_REQUEST_SECONDS, GATEWAY_REQUESTS

from . import events, guard, ops, page, session_api
from .door import Door, StatusBytes

PACKAGE = Path(__file__).resolve().parent.parent


def create(door: Door) -> Flask:
    app = Flask(
        "gateway",
        root_path=str(PACKAGE),
        static_folder="static",
        template_folder="templates",
        static_url_path="/static",
    )
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 0
    guard.install(app, door)
    rendered = StatusBytes(door)
    app.register_blueprint(session_api.blueprint(door, rendered))
    app.register_blueprint(events.blueprint(door, rendered))
    app.register_blueprint(page.blueprint(door))
    app.register_blueprint(ops.blueprint(door))
    _measure(app, door)
    return app


def _measure(app: Flask, door: Door) -> None:
    """Count and time each request; the route's pattern as label, never the address that was asked for."""
    requests = door.metrics.counter(GATEWAY_REQUESTS)
    seconds = door.metrics.histogram(GATEWAY_REQUEST_SECONDS)

    @app.before_request
    def begin() -> None:
        g.began = perf_counter()

    # Functions registered first by Flask run first, so a refused request may have no beginning.
    @app.after_request
    def end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in ("GET", "POST", "HEAD", "OPTIONS") else "other"
        requests.labels(route, method, str(response.status_code)).inc()
        if "began" in g:
            seconds.labels(route).observe(perf_counter() - g.began)
        return response
