"""gunicorn, started by the gateway instead of its own command line.

One worker process serves everything, because the view and the rate limits live in its memory. The trap: on SIGTERM
gunicorn waits for open requests, and an event stream does not end before it is told to. The worker's signal handler
therefore announces the stop before gunicorn's own handler runs.
"""

from __future__ import annotations

import logging
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from werkzeug import Response

from .worker import Limits, Refusal, Worker

GRACEFUL_SECONDS = 6
"""Longer than any answer takes, so that a command under way is answered before the process ends."""
HEADERS, HEADER_BYTES, REQUEST_LINE_BYTES = 64, 8190, 4094
MOST_FILES = 8192
RESERVED_FILES = 800
"""Of the files that the process may open: for streams, commands and everything that is no waiting connection."""


class Lifecycle(Protocol):
    """What a worker process runs. It is made after the fork."""

    app: Flask

    def begin(self) -> None: ...

    def stopping(self) -> None:
        """Called in a signal handler."""
        ...

    def end(self) -> None: ...

    def refuse(self, refusal: Refusal, status: int) -> Response:
        """Count a connection that ends without the application, and say why."""
        ...


@dataclass(frozen=True)
class ServerOptions:
    host: str
    port: int
    log_level: str = "info"
    trusted_proxies: int = 0


class QuietLogger(Logger):  # type: ignore[misc]
    """gunicorn's messages, through the service's own logging. No access log, because addresses are personal."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True
        self.error_log.setLevel(max(logging.WARNING, self.loglevel))


def allow_files() -> int:
    """How many files the process may open, after it has asked for as many as it can use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


class Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, options: ServerOptions, make: Callable[[], Lifecycle]) -> None:
        self._options = options
        self._make = make
        self._lifecycle: Lifecycle | None = None
        self._files = allow_files()
        super().__init__()

    @property
    def limits(self) -> Limits:
        waiting = max(1, min(Limits.waiting, self._files - RESERVED_FILES))
        return Limits(waiting=waiting, trusted_proxies=self._options.trusted_proxies)

    def refuse(self, refusal: Refusal, status: int) -> Response:
        return self._lifecycle.refuse(refusal, status) if self._lifecycle else Response(status=status)

    def load_config(self) -> None:
        options = self._options
        host = f"[{options.host}]" if ":" in options.host else options.host
        for name, value in {
            "bind": f"{host}:{options.port}",
            "workers": 1,
            "worker_class": Worker,
            "worker_connections": max(1, self._files - 100),
            "timeout": 30,
            "graceful_timeout": GRACEFUL_SECONDS,
            "limit_request_line": REQUEST_LINE_BYTES,
            "limit_request_fields": HEADERS,
            "limit_request_field_size": HEADER_BYTES,
            "forwarder_headers": "",  # no client may say where the application is mounted
            "accesslog": None,
            "logger_class": QuietLogger,
            "loglevel": options.log_level,
            "control_socket_disable": True,
            "proc_name": "persistent-session-gateway",
            "post_worker_init": self._begin,
            "worker_int": self._announce_stop,
            "worker_exit": self._end,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        self._lifecycle = self._make()
        return self._lifecycle.app

    def _begin(self, worker: Any) -> None:
        if self._lifecycle is not None:
            self._lifecycle.begin()
        before = signal.getsignal(signal.SIGTERM)

        def terminate(number: int, frame: FrameType | None) -> None:
            self._announce_stop(worker)
            if callable(before):
                before(number, frame)

        signal.signal(signal.SIGTERM, terminate)

    def _announce_stop(self, _worker: Any) -> None:
        if self._lifecycle is not None:
            self._lifecycle.stopping()

    def _end(self, _server: Any, _worker: Any) -> None:
        if self._lifecycle is not None:
            self._lifecycle.end()
