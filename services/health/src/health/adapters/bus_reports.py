"""Publishes reports as telemetry on the bus."""

from __future__ import annotations

from shared.bus import Bus
from shared.contracts import subjects
from shared.contracts.health import HealthReport


class BusReportPublisher:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish(self, report: HealthReport) -> None:
        await self._bus.publish(subjects.telemetry("health", "report", report.session), report)
