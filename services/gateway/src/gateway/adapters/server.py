"""gunicorn, started by the gateway instead of its own command line.

One worker process serves everything with threads (or gevent), because the view and the rate limits live in its memory.
The trap: on SIGTERM gunicorn waits for open requests, and an event stream does not end before it is told to. The
worker's signal handler therefore announces the stop before gunicorn's own handler runs.
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
"""Enough for the default number of event streams, for all commands at once, and for reading the status."""
GREENLETS = 1000
GRACEFUL_SECONDS = 6
"""Longer than any answer takes, so that a command under way is answered before the process ends."""
STALLED_SECONDS = 5
KEEP_ALIVE_SECONDS = {"gthread": 15, "gevent": 2}
"""Short for gevent, which waits for idle connections when it stops; gthread closes them."""


class Lifecycle(Protocol):
    """What a worker process runs. It is made after the fork."""

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
    """gunicorn's messages, through the service's own logging. No access log, because addresses are personal."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True
        self.error_log.setLevel(max(logging.WARNING, self.loglevel))


def _end_stalled_clients(listener: Any) -> None:
    """Limit how long a thread waits for the rest of a request, and for a client to take its answer. The kernel's
    timeouts do this, and accepted connections inherit them: gunicorn resets Python's timeout before each request."""
    timeout = struct.pack("ll", STALLED_SECONDS, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)


class Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, options: ServerOptions, make: Callable[[], Lifecycle]) -> None:
        self._options = options
        self._make = make
        self._lifecycle: Lifecycle | None = None
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
            "worker_int": self._announce_stop,
            "worker_exit": self._end,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        self._lifecycle = self._make()
        return self._lifecycle.app

    def _begin(self, worker: Any) -> None:
        for listener in worker.sockets:
            _end_stalled_clients(listener)
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
