"""What the worker touches besides its sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from browser_worker.ports import SessionControl, WorkerMetrics
from shared.bus import Bucket
from shared.clock import Clock
from shared.contracts.sessions import LeaseRecord, SessionRecord
from shared.contracts.telemetry import WorkerHeartbeat

from .dependencies import Dependencies


class Commands(Protocol):
    """One session's commands on the bus."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True)
class WorkerDependencies:
    worker: str
    clock: Clock
    sessions: Bucket[SessionRecord]
    leases: Bucket[LeaseRecord]
    dependencies_of: Callable[[str], Dependencies]
    commands_of: Callable[[str, SessionControl], Commands]
    metrics: WorkerMetrics
    heartbeat: Callable[[WorkerHeartbeat], Awaitable[None]]
    resources: Callable[[], tuple[int, int]]
    """Memory of this process and free space on the disk of the profiles, in bytes."""
    command_key: str = ""
    """Private commands to this process are encrypted for this key."""
    capacity: int = 4
    """Sessions at a time."""
    ttl: float = 6.0
    """Seconds after which a silent owner's lease may be taken."""
    fence: bool = True
    """The lease policy: see `worker`."""
    stop_seconds: float = 15.0
    """The sessions have ended within this when the worker stops."""
