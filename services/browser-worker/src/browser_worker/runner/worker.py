"""The worker: follows the desired state of every session, and runs those whose leases it holds.

What happens when NATS cannot be reached is the lease policy. Under `fence` the worker expects that another worker takes
its sessions over: a competitor may do so one TTL after the newest renewal that it has seen. So at 65 % of the TTL the
browser is frozen, and it thaws when a renewal succeeds. A lease that was lost kills the browser. Under `keep` the
worker is alone; nobody can take its sessions over, and an outage of NATS must not interrupt them. It runs on without
renewals. Only a lease that is seen in another's hands ends its browser.

Time since a renewal counts from when the renewal was *sent*: the answer may have waited on the way. `doubt` gives the
oldest of these ages to the watchdog, a process of its own, which kills the browsers of a worker that hangs. A worker
that wakes from a long sleep cannot know what was decided without it; until it has asked, it publishes nothing.
"""

from __future__ import annotations

import asyncio

from shared.contracts.sessions import SessionRecord
from shared.contracts.telemetry import WorkerHeartbeat
from shared.runtime import Tasks, get_logger

from .session_owner import SessionOwner
from .worker_dependencies import WorkerDependencies

log = get_logger()

HEARTBEAT_SECONDS = 2.0
LOOK_SECONDS = 0.05
"""Between two looks at whether the sessions have ended at a stop."""


class Worker:
    def __init__(self, deps: WorkerDependencies) -> None:
        self._deps = deps
        self._clock = deps.clock
        self._owners: dict[str, SessionOwner] = {}
        self._tasks = Tasks(deps.clock)
        self._capacity = asyncio.Semaphore(deps.capacity)
        self._started_at = deps.clock.monotonic()
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        self._tasks.spawn("heartbeat", self._publish_heartbeats)
        await self._deps.sessions.watch(self._record_changed)

    async def stop(self) -> None:
        """Stop every owned session in order, with its last copies, and release its lease. A session that does not end
        within the budget is abandoned and logged; its lease passes on when the TTL has ended."""
        self._stopping.set()
        for owner in self._owners.values():
            owner.stop()
        deadline = self._clock.monotonic() + self._deps.stop_seconds
        while (busy := self._busy()) and self._clock.monotonic() < deadline:
            await self._clock.sleep(LOOK_SECONDS)
        if busy:
            log.error("sessions_not_stopped", sessions=busy, seconds=self._deps.stop_seconds)
        await self._tasks.stop()

    def _busy(self) -> list[str]:
        return [session for session, owner in self._owners.items() if owner.busy]

    def doubt(self) -> float:
        """The longest time since a renewal, in seconds, of the sessions whose browser runs now. A frozen browser needs
        nobody to end it while this process lives."""
        owners = [owner for owner in self._owners.values() if owner.runner and not owner.runner.frozen]
        return max((owner.seconds_since_renewal() for owner in owners), default=0.0)

    @property
    def owned(self) -> tuple[str, ...]:
        return tuple(session for session, owner in self._owners.items() if owner.runner)

    def _record_changed(self, session: str, record: SessionRecord | None) -> None:
        if record is None:
            return
        if session in self._owners:
            self._owners[session].record_changed(record)
            return
        owner = SessionOwner(self._deps, record, capacity=self._capacity, stopping=self._stopping)
        self._owners[session] = owner
        self._tasks.spawn(f"session-{session}", owner.run)

    async def _publish_heartbeats(self) -> None:
        while True:
            memory, disk_free = self._deps.resources()
            await self._deps.heartbeat(
                WorkerHeartbeat(
                    worker=self._deps.worker,
                    at=self._clock.now(),
                    sessions=self.owned,
                    free_capacity=max(0, self._deps.capacity - len(self.owned)),
                    memory_bytes=memory,
                    uptime_seconds=round(self._clock.monotonic() - self._started_at, 1),
                    disk_free_bytes=disk_free,
                    command_key=self._deps.command_key,
                )
            )
            await self._clock.sleep(HEARTBEAT_SECONDS)
