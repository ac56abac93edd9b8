"""Which commands may begin: none while NATS is away, and never so many that no thread is left to read the status."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.domain.request_errors import Busy
from gateway.ports import View
from shared.contracts.errors import Unavailable

MOST_COMMANDS = 16
"""At once. Each holds a thread of the server until its answer, some seconds at most."""


class Admission:
    """Counts the commands that are under way; `most` may be at once."""

    def __init__(self, view: View, most: int = MOST_COMMANDS) -> None:
        self._view = view
        self._slots = threading.BoundedSemaphore(most)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold a slot while the command runs. Raises Unavailable, Busy."""
        if not self._view.bus_connected:
            raise Unavailable(
                "NATS cannot be reached, nothing can be asked of the worker", hint="the state shown may be old"
            )
        if not self._slots.acquire(blocking=False):
            raise Busy("too many commands are under way", retry_after=2)
        try:
            yield
        finally:
            self._slots.release()
