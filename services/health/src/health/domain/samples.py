"""What the health service last heard of a worker, a backup replica, the gateway or NATS, and when.

`seen_at` is the time of this service's own clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class WorkerSample:
    """A worker's newest heartbeat."""

    worker: str
    seen_at: datetime
    free_capacity: int = 0
    """How many more sessions the worker takes."""
    disk_free_bytes: int = 0
    holding_since: datetime | None = None
    """Since when the worker's heartbeats name the observed session without a gap; None where the newest does not."""


@dataclass(frozen=True)
class BackupReplicaSample:
    """The newest heartbeat of a backup replica."""

    instance: str
    seen_at: datetime
    store_ok: bool
    store_error: str = ""
    """Text for people. Nothing is decided by it."""
    store_down_since: datetime | None = None
    """Since when the object store does not answer this replica."""


@dataclass(frozen=True)
class DuplicateOwner:
    """A status from another worker than the newest owner, with the same epoch or an older one."""

    worker: str
    seen_at: datetime
    same_epoch: bool


@dataclass(frozen=True)
class LostBackups:
    """Good backups that went from the object store without retention, as the backup service found it at `seen_at`."""

    count: int
    left: int
    seen_at: datetime


@dataclass(frozen=True)
class RejectedRecord:
    """The newest time that the backup service found a control record that does not count."""

    record: str
    """head or tombstone."""
    fault: str
    """A RecordFault."""
    seen_at: datetime


@dataclass(frozen=True)
class GatewaySample:
    """The newest answer of the gateway. `seconds` is how long it took; None: no answer came, or a wrong one."""

    seen_at: datetime
    seconds: float | None
    late_since: datetime | None = None
    """Since when each answer was late or missing; None when the newest came in time."""


@dataclass(frozen=True)
class NatsSample:
    """What NATS last answered about itself. Sizes are in bytes; 0 where it did not answer."""

    seen_at: datetime
    reachable: bool = True
    """False: the page did not answer, or its answer could not be read."""
    connections: int = 0
    slow_consumers: int = 0
    """Clients cut off as too slow since the NATS server started."""
    new_slow_consumers: int = 0
    """Clients cut off as too slow within the last five minutes."""
    memory_bytes: int = 0
    jetstream: bool = True
    storage_bytes: int = 0
    storage_limit_bytes: int = 0
