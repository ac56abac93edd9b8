"""What is known about one session at one moment: the only input of the verdict besides thresholds and time.

`None` and empty mean *not known*, and the checks must treat them so. Instants under `seen_at` are this service's own
clock; those inside a status are its worker's, which may differ by its skew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from shared.contracts.sessions import SessionRecord, SessionStatus


@dataclass(frozen=True)
class WorkerSight:
    """A worker as its newest heartbeat showed it. `holding_since`: since when it names this session without a gap."""

    worker: str
    seen_at: datetime
    free_capacity: int = 0
    disk_free_bytes: int = 0
    holding_since: datetime | None = None


@dataclass(frozen=True)
class StoreSight:
    """A backup replica as its newest heartbeat showed it. `bad_since`: since when its store does not answer."""

    instance: str
    seen_at: datetime
    store_ok: bool
    store_error: str = ""
    bad_since: datetime | None = None


@dataclass(frozen=True)
class Usurper:
    """A status that cannot be: from another worker than the newest owner, with the same epoch or an older one."""

    worker: str
    seen_at: datetime
    same_epoch: bool


@dataclass(frozen=True)
class NatsSight:
    """The newest look at the monitoring page. `reachable` False: it did not answer. Sizes in bytes."""

    seen_at: datetime
    reachable: bool = True
    connections: int = 0
    slow_consumers: int = 0
    new_slow_consumers: int = 0
    """Within the last minutes."""
    memory_bytes: int = 0
    jetstream: bool = True
    storage_bytes: int = 0
    storage_limit_bytes: int = 0


@dataclass(frozen=True)
class Observation:
    session: str
    status: SessionStatus | None = None
    status_seen_at: datetime | None = None
    record: SessionRecord | None = None
    workers: tuple[WorkerSight, ...] = ()
    stores: tuple[StoreSight, ...] = ()
    takeovers: tuple[datetime, ...] = ()
    """When a new epoch was first seen, oldest first."""
    usurpers: tuple[Usurper, ...] = ()
    nats: NatsSight | None = None
    listening_since: datetime | None = None
    """When the bus was reached or reached again; None while it is lost."""
    known_since: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    """Since when each open issue stands, by the code of its check."""
