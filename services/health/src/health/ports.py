"""What the health service needs from outside."""

from __future__ import annotations

from typing import Protocol

from shared.contracts.health import HealthReport

from .domain.samples import GatewaySample, NatsSample


class ReportPublisher(Protocol):
    """Publishes reports to whoever wants them."""

    async def publish(self, report: HealthReport) -> None:
        """Best effort. Raises nothing when the bus is lost."""
        ...


class GatewayProbe(Protocol):
    async def sample(self) -> GatewaySample:
        """Ask and measure, within a few seconds. A gateway that does not answer gives a sample without a time."""
        ...


class NatsMonitor(Protocol):
    async def sample(self) -> NatsSample:
        """Answer within a few seconds. A page that does not answer gives a sample with `reachable` False."""
        ...
