"""What the bus needs from a transport. A transport knows no message types, only bytes and headers.

Two classes fulfil the protocol: `connection.Connection` (NATS) and `shared.testing.fake_bus.MemoryTransport`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Incoming:
    """A received message; `reply` is the subject for the answer ("": no answer is wanted)."""

    subject: str
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    reply: str = ""


OnMessage = Callable[[Incoming], Awaitable[None]]
"""Awaited message by message and in order; must not raise."""


class Subscription(Protocol):
    """Work that goes on until it is stopped: a subscription, a watch, a served command."""

    async def stop(self) -> None:
        """Accept nothing new and finish what is running. Idempotent; never raises."""
        ...


class Transport(Protocol):
    counts: Counter[str]
    """Faults by name since the start, for the metrics."""

    @property
    def connected(self) -> bool: ...
    def on_lost(self, callback: Callable[[], None]) -> None: ...
    def on_back(self, callback: Callable[[], None]) -> None: ...
    def new_inbox(self) -> str: ...
    async def publish(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, reply: str = ""
    ) -> None:
        """Hand over to the wire; nothing is queued for later. Raises Unavailable, Invalid (too large)."""
        ...

    async def request(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, timeout: float
    ) -> Incoming:
        """Raises NotRunning (nobody listens), TimedOut, Unavailable (not connected), Refused (not permitted)."""
        ...

    async def subscribe(self, subject: str, queue: str, on_message: OnMessage) -> Subscription:
        """The subscription outlives reconnects. Raises Refused when the server forbids the subject."""
        ...

    async def close(self) -> None: ...
