"""gunicorn, run from here and not from its command line.

One worker process with threads (or gevent): the view and the limits live in its memory. The trap: on SIGTERM gunicorn
waits for open requests, and event streams never end by themselves, so the worker's signal handler tells them first.
"""

from __future__ import annotations

import logging
import signal
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

THREADS = 64
GREENLETS = 1000
GRACEFUL_SECONDS = 6
STALLED_SECONDS = 5
KEEP_ALIVE_SECONDS = {"gthread": 15, "gevent": 2}
"""On its stop gevent waits for idle connections, gthread closes them."""


class Life(Protocol):
    """What a worker process runs; made after the fork."""

    app: Flask

    def begin(self) -> None: ...

    def stopping(self) -> None:
        """Called in a signal handler."""
        ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class ServerOptions:
    host: str
    port: int
    worker_class: str = "gthread"
    log_level: str = "info"


class QuietLogger(Logger):  # type: ignore[misc]
    """gunicorn's messages through the service's own logging; no access log (addresses are nobody's business)."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True
        self.error_log.setLevel(max(logging.WARNING, self.loglevel))


def _end_stalled_clients(listener: Any) -> None:
    """A thread must not wait for ever for the rest of a request, or for a client to take its answer. The kernel's own
    timeouts, which accepted connections inherit: gunicorn sets the sockets' Python timeout back before each request."""
    patience = struct.pack("ll", STALLED_SECONDS, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)


class Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, options: ServerOptions, live: Callable[[], Life]) -> None:
        self._options = options
        self._live = live
        self._life: Life | None = None
        super().__init__()

    def load_config(self) -> None:
        options = self._options
        host = f"[{options.host}]" if ":" in options.host else options.host
        for name, value in {
            "bind": f"{host}:{options.port}",
            "workers": 1,
            "worker_class": options.worker_class,
            "threads": THREADS if options.worker_class == "gthread" else 1,
            "worker_connections": GREENLETS,
            "keepalive": KEEP_ALIVE_SECONDS[options.worker_class],
            "timeout": 30,
            "graceful_timeout": GRACEFUL_SECONDS,
            "accesslog": None,
            "logger_class": QuietLogger,
            "loglevel": options.log_level,
            "control_socket_disable": True,
            "proc_name": "persistent-session-gateway",
            "post_worker_init": self._begin,
            "worker_int": self._interrupted,
            "worker_exit": self._end,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        self._life = self._live()
        return self._life.app

    def _begin(self, worker: Any) -> None:
        for listener in worker.sockets:
            _end_stalled_clients(listener)
        if self._life is not None:
            self._life.begin()
        before = signal.getsignal(signal.SIGTERM)

        def terminate(number: int, frame: FrameType | None) -> None:
            self._interrupted(worker)
            if callable(before):
                before(number, frame)

        signal.signal(signal.SIGTERM, terminate)

    def _interrupted(self, _worker: Any) -> None:
        if self._life is not None:
            self._life.stopping()

    def _end(self, _server: Any, _worker: Any) -> None:
        if self._life is not None:
            self._life.end()
