"""Reads the monitoring page `/varz` of NATS over HTTP.

The fields are those of nats-server: https://docs.nats.io/running-a-nats-service/nats_admin/monitoring
"""

from __future__ import annotations

import httpx
import msgspec

from health.domain.samples import NatsSample
from shared.clock import Clock

TIMEOUT_SECONDS = 3.0


class _Limits(msgspec.Struct):
    max_storage: int = 0


class _Usage(msgspec.Struct):
    storage: int = 0


class _JetStream(msgspec.Struct):
    """Both fields are absent where JetStream is off."""

    config: _Limits | None = None
    stats: _Usage | None = None


class _Varz(msgspec.Struct):
    server_id: str
    connections: int = 0
    slow_consumers: int = 0
    mem: int = 0
    jetstream: _JetStream = msgspec.field(default_factory=_JetStream)


class HttpNatsMonitor:
    """`url` is such as http://127.0.0.1:8222. A proxy of the environment is ignored, because NATS is never outside."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = f"{url.rstrip('/')}/varz"
        self._clock = clock
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    async def sample(self) -> NatsSample:
        try:
            answer = await self._client.get(self._url)
            answer.raise_for_status()
            varz = msgspec.json.decode(answer.content, type=_Varz)
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.ValidationError, msgspec.DecodeError):
            return NatsSample(seen_at=self._clock.now(), reachable=False)
        return NatsSample(
            seen_at=self._clock.now(),
            connections=varz.connections,
            slow_consumers=varz.slow_consumers,
            memory_bytes=varz.mem,
            jetstream=varz.jetstream.config is not None,
            storage_bytes=varz.jetstream.stats.storage if varz.jetstream.stats else 0,
            storage_limit_bytes=varz.jetstream.config.max_storage if varz.jetstream.config else 0,
        )

    async def close(self) -> None:
        await self._client.aclose()
