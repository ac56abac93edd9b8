"""What the health service needs from the world."""

from __future__ import annotations

from typing import Protocol

from shared.contracts.health import HealthReport

from .domain.observation import NatsSight


class Readers(Protocol):
    """Whoever wants to know how sessions are."""

    async def tell(self, report: HealthReport) -> None:
        """Best effort; never raises for a lost bus."""
        ...


class NatsMonitor(Protocol):
    async def look(self) -> NatsSight:
        """Within a few seconds; a page that does not answer, or not sensibly, is a sight too. Never raises for that."""
        ...
