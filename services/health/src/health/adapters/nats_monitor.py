"""Asks NATS how it is, as a user of its system account.

NATS has a monitoring port for this, but that answers everybody who reaches it; the system account wants a key. The
answer is that of `/varz`: https://docs.nats.io/running-a-nats-service/configuration/sys_accounts
"""

from __future__ import annotations

import msgspec

from health.domain.samples import NatsSample
from shared.bus import BusOptions
from shared.bus.connection import Connection
from shared.clock import Clock
from shared.contracts.errors import ServiceError

SUBJECT = "$SYS.REQ.SERVER.PING.VARZ"
"""Every server of a cluster answers; the first answer counts."""
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


class _Answer(msgspec.Struct):
    data: _Varz


class SystemAccountMonitor:
    """`options` hold the key of a user of the system account. A wrong key is a server that does not answer."""

    def __init__(self, options: BusOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._connection: Connection | None = None

    async def sample(self) -> NatsSample:
        try:
            varz = await self._ask()
        except (ServiceError, msgspec.ValidationError, msgspec.DecodeError):
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
        if self._connection is not None:
            await self._connection.close()

    async def _ask(self) -> _Varz:
        connection = self._connection or await self._open()
        answer = await connection.request(SUBJECT, b"", timeout=TIMEOUT_SECONDS)
        return msgspec.json.decode(answer.data, type=_Answer).data

    async def _open(self) -> Connection:
        """Raises Unavailable, and tries anew the next time."""
        connection = Connection(self._options)
        await connection.open(TIMEOUT_SECONDS)
        self._connection = connection
        return connection
