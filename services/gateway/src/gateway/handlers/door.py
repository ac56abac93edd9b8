"""What every handler is given, and the few things they share: the rendered status and the time left of a request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from gateway.domain import old_shape
from gateway.domain.auth import Keyring
from gateway.domain.limits import Limiter
from gateway.domain.observed import Facts
from gateway.ports import Messenger, QrImages, View, Wishes
from shared.clock import Clock
from shared.contracts.errors import Unavailable
from shared.runtime import Metrics

ANSWER_SECONDS = 4.6
"""The clients' limit is 5 s; what is left is for the way there and back."""


class Deadline:
    """The time a request has left, from its first line on."""

    def __init__(self, clock: Clock, seconds: float = ANSWER_SECONDS) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def left(self, at_most: float = ANSWER_SECONDS) -> float:
        """Seconds, never negative, never more than `at_most`."""
        return max(0.0, min(at_most, self._end - self._clock.monotonic()))


@dataclass(frozen=True)
class Limits:
    login: Limiter
    test_messages: Limiter
    actions: Limiter
    streams: int = 40
    commands: int = 16
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Door:
    """`trusted_proxies`: how many proxies in front of us write X-Forwarded-*; `secure_cookie`: always, not only when a
    proxy says https."""

    client_id: str
    view: View
    messenger: Messenger
    wishes: Wishes
    qr_images: QrImages
    keyring: Keyring
    clock: Clock
    limits: Limits
    metrics: Metrics
    system: Callable[[], old_shape.System]
    metrics_token: str = ""
    secure_cookie: bool = False
    trusted_proxies: int = 0

    def answer(self, facts: Facts) -> old_shape.Json:
        text = facts.status.pairing.qr if facts.status else None
        image = self.qr_images.data_url(text) if text else None
        return old_shape.answer(facts, self.system(), image)


class StatusBytes:
    """The answer to GET as bytes, made once for each change and second, however many ask."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._made: dict[str, tuple[tuple[int, int], bytes]] = {}

    def get(self, session: str) -> bytes:
        """Raises Unavailable until the view is loaded."""
        stamp = (self._door.view.version(), int(self._door.clock.monotonic()))
        made = self._made.get(session)
        if made is not None and made[0] == stamp:
            return made[1]
        if not self._door.view.loaded:
            raise Unavailable(
                "the state is not known yet: NATS has not answered since the start",
                hint="check that NATS runs and that NATS_URL points to it",
            )
        data = msgspec.json.encode(self._door.answer(self._door.view.facts(session)))
        self._made[session] = (stamp, data)
        return data
