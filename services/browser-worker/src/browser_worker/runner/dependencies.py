"""What a session's runner needs: its collaborators, and its times in seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from browser_worker.domain.debounce import Debounce
from browser_worker.domain.ladder import Budget
from browser_worker.ports import BackupService, Browser, DurableRecordStore, Outbox, ProfileStore, WorkerMetrics
from shared.clock import Clock
from shared.contracts.message import Message
from shared.contracts.sessions import SessionStatus


@dataclass(frozen=True)
class Times:
    """Seconds."""

    poll: float = 1.0
    """Between two looks at the page; an event of the page wakes the reader sooner."""
    poll_soon: float = 0.05
    """The same while the session is starting and every moment counts."""
    connect: float = 45.0
    measure: float = 15.0
    validate: float = 60.0
    save: float = 120.0
    back_up: float = 300.0
    back_up_retry: float = 30.0
    stable: float = 60.0
    """After a connection of this length the budget of reconnects is whole again."""
    stop: float = 12.0
    publish: float = 5.0
    take_over: float = 10.0
    take_over_pause: float = 600.0
    """At most one takeover of a conflict in this time, unless a person asks."""
    unlink: float = 20.0


@dataclass(frozen=True)
class Dependencies:
    """Everything a session's runner touches."""

    session: str
    worker: str
    browser: Browser
    profile_store: ProfileStore
    backups: BackupService
    outbox: Outbox
    durable_record: DurableRecordStore
    metrics: WorkerMetrics
    clock: Clock
    publish_status: Callable[[SessionStatus], Awaitable[None]]
    publish_event: Callable[[str, str, Message], Awaitable[None]]
    """`(area, fact, message)`; best effort, never raises."""
    jitter: Callable[[], float]
    """Uniform in 0..1."""
    max_bytes: int = 150_000_000
    """A larger profile loses its caches before a launch."""
    session_path: str = ""
    saves_path: str = ""
    times: Times = field(default_factory=Times)
    budget: Budget = field(default_factory=Budget)
    debounce: Debounce = field(default_factory=Debounce)
