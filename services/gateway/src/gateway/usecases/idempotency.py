"""One answer for one Idempotency-Key: a client that lost an answer asks again, and the work is done once.

A key belongs to whoever sent it (`principal`) and to what they asked for. The same key with another request is refused,
because its sender would take the answer to the first request for the answer to the second. Only what was done is
remembered; an error frees the key for another attempt at the same request. Two requests at once with one key: the
second waits for the answer of the first.

The memory is the process's own: it is bounded, and it is empty after a restart. Test messages are protected beyond
that by the worker's outbox, so that none is sent twice.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.domain.request_errors import KeyReused
from shared.clock import Clock, Deadline
from shared.contracts.errors import Conflict

T = TypeVar("T")

MOST_KEYS = 500
"""Remembered at once. When there are more, the oldest goes; one whose request is under way never does."""
KEY_SECONDS = 24 * 3600.0


@dataclass
class _Entry(Generic[T]):
    fingerprint: bytes
    at: float
    answer: T | None = None
    running: bool = True
    ended: threading.Event = field(default_factory=threading.Event)


class Idempotency(Generic[T]):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], _Entry[T]] = OrderedDict()
        self._lock = threading.Lock()

    def once(
        self,
        principal: str,
        key: str,
        asked: bytes,
        deadline: Deadline,
        work: Callable[[], T],
        *,
        remember: bool = True,
    ) -> tuple[T, bool]:
        """The answer of `work`, and whether it is an earlier answer. `asked`: all that makes the request what it is.
        Without `remember` the work itself knows its repetitions, and only another request is refused. Raises KeyReused,
        Conflict with the code `request_under_way`, and what `work` raises."""
        fingerprint = hashlib.sha256(asked).digest()
        while True:
            with self._lock:
                entry, is_mine = self._entry((principal, key), fingerprint)
            if is_mine:
                return self._work(entry, work, remember=remember), False
            if entry.answer is not None:
                return entry.answer, True
            if not entry.ended.wait(deadline.left()):
                raise Conflict(
                    "the same request is still under way", code="request_under_way", hint="ask again with the same key"
                )

    def _entry(self, key: tuple[str, str], fingerprint: bytes) -> tuple[_Entry[T], bool]:
        """The entry of the key, and whether the caller is the one to do the work."""
        now = self._clock.monotonic()
        entry = self._entries.get(key)
        if entry is not None and now - entry.at > KEY_SECONDS and not entry.running:
            entry = None
        if entry is None:
            entry = self._entries[key] = _Entry(fingerprint, now)
            self._entries.move_to_end(key)
            self._drop_oldest()
            return entry, True
        if entry.fingerprint != fingerprint:
            raise KeyReused(
                "this Idempotency-Key was used for another request",
                hint="nothing was done; use a new key for a new request",
            )
        if entry.running or entry.answer is not None:
            return entry, False
        entry.running, entry.ended = True, threading.Event()
        return entry, True

    def _work(self, entry: _Entry[T], work: Callable[[], T], *, remember: bool) -> T:
        try:
            answer = work()
            if remember:
                entry.answer = answer
            return answer
        finally:
            with self._lock:
                entry.running = False
            entry.ended.set()

    def _drop_oldest(self) -> None:
        if len(self._entries) <= MOST_KEYS:
            return
        oldest = next((key for key, entry in self._entries.items() if not entry.running), None)
        if oldest is not None:
            del self._entries[oldest]
