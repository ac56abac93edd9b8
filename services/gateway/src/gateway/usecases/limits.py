"""How many requests may begin: token buckets for the rate, slots for the commands under way.

No command begins while NATS is away, and no more run at once than their receivers can answer in time.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.domain.guessing import WrongKey, WrongKeys
from gateway.domain.request_errors import Busy, RateLimited
from gateway.ports import View
from shared.clock import Clock
from shared.contracts.errors import Unavailable

MAX_KEYS = 4096
"""Buckets held at once. When there are more, the bucket that was unused longest goes."""
LOG_LINES_PER_MINUTE = 30
"""About wrong keys; their metric counts them all."""
ALL = "all"
"""The key of a limit that all clients share."""
MOST_COMMANDS = 16
"""At once: as many as a receiver works on. Whoever comes after that is told so at once and does not wait in vain."""


@dataclass
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """`per_minute` requests for each key, at once or spread. Not safe for threads: the holder locks."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, at: float) -> int:
        """0 when the request may pass, else the whole seconds to wait."""
        bucket = self._buckets.setdefault(key, _Bucket(self.per_minute, at))
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
        rate = self.per_minute / 60.0
        bucket.tokens = min(float(self.per_minute), bucket.tokens + (at - bucket.at) * rate)
        bucket.at = at
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return 0
        return max(1, math.ceil((1.0 - bucket.tokens) / rate))


class RateLimits:
    """Requests a minute. Every `take_*` takes one token and raises RateLimited when none is left."""

    def __init__(self, clock: Clock, *, wrong_keys: int, test_messages: int, actions: int) -> None:
        self._clock = clock
        self._wrong_keys = WrongKeys(wrong_keys)
        self._log_lines = RateLimiter(LOG_LINES_PER_MINUTE)
        self._test_messages = RateLimiter(test_messages)
        self._actions = RateLimiter(actions)
        self._lock = threading.Lock()

    def count_wrong_key(self, network: str) -> WrongKey:
        """A wrong key has come from `network`."""
        with self._lock:
            return self._wrong_keys.count(network, self._clock.monotonic())

    def may_log(self, wrong: WrongKey) -> bool:
        """Whether a line about it tells something new, and guessers from many networks leave room for it in the log."""
        with self._lock:
            return wrong.is_news and not self._log_lines.take(ALL, self._clock.monotonic())

    def take_test_message(self) -> None:
        self._take(self._test_messages, ALL)

    def take_action(self) -> None:
        self._take(self._actions, ALL)

    def _take(self, limiter: RateLimiter, key: str) -> None:
        with self._lock:
            wait = limiter.take(key, self._clock.monotonic())
        if wait:
            raise RateLimited("too many requests", retry_after=wait, hint=f"try again in {wait} s")


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
