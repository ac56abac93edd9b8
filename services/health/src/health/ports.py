"""What the health service needs from the world."""

from __future__ import annotations

from typing import Protocol

from shared.contracts.health import HealthReport

from .domain.samples import NatsSample


class ReportPublisher(Protocol):
    """Whoever wants to know how sessions are."""

    async def publish(self, report: HealthReport) -> None:
        """Best effort; never raises for a lost bus."""
        ...


class NatsMonitor(Protocol):
    async def sample(self) -> NatsSample:
        """Answer within a few seconds. A page that does not answer gives a sample with `reachable` False."""
        ...
