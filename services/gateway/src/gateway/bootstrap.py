"""The composition root: the only place that knows which adapter stands behind which port."""

from __future__ import annotations

import asyncio
import functools
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version

from flask import Flask, Response

from shared.clock import Clock, SystemClock
from shared.contracts.logins import LoginRecord
from shared.contracts.metrics import GATEWAY_REFUSED, GATEWAY_WRONG_KEYS
from shared.runtime import Metrics, OpsServer, configure_logging, get_logger, load_settings, on_railway

from .adapters import process_memory
from .adapters.bus_thread import BusThread
from .adapters.live_logins import LiveLogins
from .adapters.live_view import LiveView
from .adapters.qr_images import QrImages
from .adapters.server import Server, ServerOptions
from .adapters.worker import Refusal
from .domain.auth import Authenticator
from .domain.logins import LoginRules
from .domain.system_info import SystemInfo
from .handlers import app
from .handlers.dependencies import GatewayDependencies
from .handlers.guard import Guard
from .handlers.legacy import error_replies
from .settings import GatewaySettings
from .usecases import UseCases
from .usecases.limits import RateLimits

READ_LOGIN_SECONDS = 1.0
WORKER_CLASS = "gevent"


class Gateway:
    """One worker process: the Flask app, the view and the bus thread. It is made after gunicorn's fork."""

    def __init__(self, settings: GatewaySettings, *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._started_at = self._clock.monotonic()
        self._metrics = Metrics()
        self.view = LiveView(self._clock)
        self._authenticator = Authenticator(
            settings.api_key.get_secret_value(), settings.cookie_secret.get_secret_value(), system=settings.client_id
        )
        self._login_rules = LoginRules(
            idle=timedelta(milliseconds=settings.login_idle_ms),
            longest=timedelta(milliseconds=settings.login_longest_ms),
            key_id=self._authenticator.key_id,
        )
        self.logins = LiveLogins(self._clock, self._login_rules, read=self._read_login, on_end=self.view.wake)
        self.bus = BusThread(
            settings.bus_options("gateway"),
            self.view,
            self.logins,
            self._clock,
            on_open=self._metrics.watch_bus,
            background=self._serve_ops,
        )
        self._refused = self._metrics.counter(GATEWAY_REFUSED)
        self._refusals = functools.cache(error_replies.of_status)  # a crowd must not cost the making of answers
        self.app: Flask = app.create(self._dependencies())

    def begin(self) -> None:
        self.bus.start()
        get_logger().info("gateway_started", host=self._settings.gateway_host, port=self._settings.gateway_port)

    def stopping(self) -> None:
        self.view.stop()

    def end(self) -> None:
        self.view.stop()
        self.bus.stop()
        get_logger().info("gateway_stopped")

    def refuse(self, refusal: Refusal, status: int) -> Response:
        self._refused.labels(refusal).inc()
        return self._refusals(status)

    def _dependencies(self) -> GatewayDependencies:
        settings, clock = self._settings, self._clock
        use_cases = UseCases(
            view=self.view,
            messenger=self.bus,
            desired_states=self.bus,
            authenticator=self._authenticator,
            logins=self.logins,
            clock=clock,
            default_session=settings.client_id,
        )
        rate_limits = RateLimits(
            clock,
            wrong_keys=settings.login_per_minute,
            test_messages=settings.test_messages_per_minute,
            actions=settings.actions_per_minute,
        )
        wrong_keys = self._metrics.counter(GATEWAY_WRONG_KEYS)
        return GatewayDependencies(
            use_cases=use_cases,
            guard=Guard(
                self._authenticator,
                use_cases.check_login,
                rate_limits,
                lambda way: wrong_keys.labels(way).inc(),
                trusted_proxies=settings.trusted_proxies,
                always_https=on_railway(),
            ),
            login_rules=self._login_rules,
            rate_limits=rate_limits,
            qr_images=QrImages(),
            clock=clock,
            metrics=self._metrics,
            system=self._system_info,
            readiness=self.view.ready,
            metrics_token=settings.metrics_token.get_secret_value(),
            max_streams=settings.max_streams,
        )

    def _read_login(self, login_id: str) -> LoginRecord | None:
        return self.bus.read_login(login_id, timeout=READ_LOGIN_SECONDS)

    def _system_info(self) -> SystemInfo:
        return SystemInfo(
            session_path=self._settings.session_path,
            backup_path=self._settings.backup_session_path,
            is_railway=on_railway(),
            version=_version(),
            memory=process_memory.measure(),
            uptime=self._clock.monotonic() - self._started_at,
            bus_connected=self.view.bus_connected,
        )

    async def _serve_ops(self) -> None:
        """Health and metrics on the private port, where a port is set. The public port has the same routes."""
        if not self._settings.http_port:
            return
        server = OpsServer(
            self._metrics,
            host=self._settings.http_host,
            port=self._settings.http_port,
            token=self._settings.metrics_token.get_secret_value(),
            ready=self.view.ready,
        )
        await server.start()
        try:
            await asyncio.Event().wait()
        finally:
            await server.stop()


def run() -> None:
    """Serve until SIGTERM or SIGINT. Wrong settings end the process with one line for each fault."""
    settings = load_settings(GatewaySettings)
    configure_logging("gateway", settings.log_level)
    options = ServerOptions(
        host=settings.gateway_host,
        port=settings.gateway_port,
        log_level=settings.log_level,
        trusted_proxies=settings.trusted_proxies,
    )
    if settings.gateway_worker_class != WORKER_CLASS:
        get_logger().warning("worker_class_replaced", asked=settings.gateway_worker_class, used=WORKER_CLASS)
    Server(options, lambda: Gateway(settings)).run()


def _version() -> str:
    try:
        return version("persistent-session-gateway")
    except PackageNotFoundError:
        return "0"
