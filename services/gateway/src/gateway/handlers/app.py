"""The Flask application: all routes behind one guard."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from flask import Flask, Response, g, request

from shared.contracts.metrics import GATEWAY_REQUEST_SECONDS, GATEWAY_REQUESTS
from shared.runtime import Metrics

from . import login, ops, page, replies
from .dependencies import GatewayDependencies
from .legacy import actions, error_replies, logins, status
from .legacy.status_renderer import StatusRenderer

PACKAGE = Path(__file__).resolve().parent.parent


def create(given: GatewayDependencies) -> Flask:
    app = Flask(
        "gateway",
        root_path=str(PACKAGE),
        static_folder="static",
        template_folder="templates",
        static_url_path="/static",
    )
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 0
    given.guard.install(app)
    app.after_request(replies.secure)
    error_replies.install(app)
    use_cases, metrics = given.use_cases, given.metrics
    renderer = StatusRenderer(use_cases.read_status, given.qr_images, given.system, given.clock)
    app.register_blueprint(actions.blueprint(use_cases, renderer, given.rate_limits, metrics, given.clock))
    app.register_blueprint(
        status.blueprint(use_cases, given.guard, renderer, given.qr_images, metrics, max_streams=given.max_streams)
    )
    app.register_blueprint(logins.blueprint(use_cases, given.guard, given.login_rules))
    app.register_blueprint(page.blueprint(use_cases.read_status, given.guard))
    app.register_blueprint(login.blueprint(use_cases, given.guard, longest=given.login_rules.longest))
    app.register_blueprint(ops.blueprint(given.guard, metrics, given.readiness, given.metrics_token))
    _measure(app, metrics)
    return app


def _measure(app: Flask, metrics: Metrics) -> None:
    """Count each request, and time it from the guard on. The label is the route's pattern, never the address."""
    requests = metrics.counter(GATEWAY_REQUESTS)
    seconds = metrics.histogram(GATEWAY_REQUEST_SECONDS)

    @app.after_request
    def end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in ("GET", "POST", "HEAD", "OPTIONS") else "other"
        requests.labels(route, method, str(response.status_code)).inc()
        seconds.labels(route).observe(perf_counter() - g.began)
        return response
