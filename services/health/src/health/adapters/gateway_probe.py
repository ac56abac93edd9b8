"""Asks the gateway as a client does: over its port, on a new connection each time, and measures the answer."""

from __future__ import annotations

import httpx

from health.domain.samples import GatewaySample
from shared.clock import Clock

TIMEOUT_SECONDS = 5.0


class HttpGatewayProbe:
    """`url` is such as http://127.0.0.1:8080. A proxy of the environment is ignored: the gateway is never outside."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = f"{url.rstrip('/')}/health/live"
        self._clock = clock
        # A connection that was open before would not show that new ones wait.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False)

    async def sample(self) -> GatewaySample:
        began = self._clock.monotonic()
        try:
            answer = await self._client.get(self._url)
            answer.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL):
            return GatewaySample(seen_at=self._clock.now(), seconds=None)
        return GatewaySample(seen_at=self._clock.now(), seconds=self._clock.monotonic() - began)

    async def close(self) -> None:
        await self._client.aclose()
