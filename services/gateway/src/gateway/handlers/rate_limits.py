"""The rate limits of the gateway, safe for many threads."""

from __future__ import annotations

import threading

from gateway.domain.rate_limiter import RateLimiter
from gateway.domain.request_errors import RateLimited
from shared.clock import Clock

ALL = "all"
"""The key of a limit that all clients share."""


class RateLimits:
    """Requests a minute. Every method takes one token and raises RateLimited when none is left."""

    def __init__(self, clock: Clock, *, logins: int, test_messages: int, actions: int) -> None:
        self._clock = clock
        self._logins = RateLimiter(logins)
        self._test_messages = RateLimiter(test_messages)
        self._actions = RateLimiter(actions)
        self._lock = threading.Lock()

    def take_login(self, address: str) -> None:
        self._take(self._logins, address)

    def take_test_message(self) -> None:
        self._take(self._test_messages, ALL)

    def take_action(self) -> None:
        self._take(self._actions, ALL)

    def _take(self, limiter: RateLimiter, key: str) -> None:
        with self._lock:
            wait = limiter.take(key, self._clock.monotonic())
        if wait:
            raise RateLimited("too many requests", retry_after=wait, hint=f"try again in {wait} s")
