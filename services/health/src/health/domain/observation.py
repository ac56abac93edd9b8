"""What is known about one session at one moment. Besides thresholds and the time, the verdict has no other input.

`None` and empty mean *not known*, and the checks treat them so. Instants named `seen_at` are this service's own clock.
Instants inside a status are the clock of the status's worker, which may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from shared.contracts.sessions import SessionRecord, SessionStatus

from .samples import (
    BackupReplicaSample,
    DuplicateOwner,
    GatewaySample,
    LostBackups,
    NatsSample,
    RejectedRecord,
    WorkerSample,
)


@dataclass(frozen=True)
class Observation:
    session: str
    status: SessionStatus | None = None
    status_seen_at: datetime | None = None
    record: SessionRecord | None = None
    workers: tuple[WorkerSample, ...] = ()
    backup_replicas: tuple[BackupReplicaSample, ...] = ()
    takeovers: tuple[datetime, ...] = ()
    """When a new epoch was first seen, oldest first."""
    duplicate_owners: tuple[DuplicateOwner, ...] = ()
    lost_backups: LostBackups | None = None
    rejected_records: tuple[RejectedRecord, ...] = ()
    nats: NatsSample | None = None
    gateway: GatewaySample | None = None
    listening_since: datetime | None = None
    """When the bus was reached or reached again; None while it is lost."""
    open_since: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    """Since when each open issue stands, by the code of its check."""
