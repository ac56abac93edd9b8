"""The worker: competes for the leases of the sessions that are wanted, and runs those it owns.

One task a session. Losing sight of the bus is answered by the lease policy: `fence` freezes the browser before another
worker could take over, `keep` (one worker alone) runs on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from browser_worker.domain.machine import Event
from browser_worker.ports import BrowserGone, BrowserHangs, SessionControl
from shared.bus import Bucket
from shared.bus.lease import Lease, Outcome
from shared.clock import Clock
from shared.contracts.errors import Conflict, ServiceError
from shared.contracts.sessions import DesiredState, LeaseRecord, Reason, SessionRecord, State
from shared.contracts.telemetry import WorkerHeartbeat
from shared.runtime import Tasks, get_logger

from .dependencies import Dependencies
from .session import SessionRunner

log = get_logger()

HEARTBEAT_SECONDS = 2.0
MARGIN = 0.35
"""Part of the TTL kept as a margin: the browser is frozen at 65 % of it."""
PROFILE_IN_USE_SECONDS = 10.0
CLEAR_AGAIN_SECONDS = 10.0
ROOM_SECONDS = 0.5
COMPETE_SECONDS = 0.25


class Commands(Protocol):
    """The session's commands on the bus."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True)
class WorkerDependencies:
    """What the worker touches besides its sessions. `deps_of` builds a session's deps, `commands_of` serves it."""

    worker: str
    clock: Clock
    sessions: Bucket[SessionRecord]
    leases: Bucket[LeaseRecord]
    deps_of: Callable[[str], Dependencies]
    commands_of: Callable[[str, SessionControl], Commands]
    heartbeat: Callable[[WorkerHeartbeat], Awaitable[None]]
    facts: Callable[[], tuple[int, int]]
    """DurableRecordStore of this process and free bytes on the disk of the profiles."""
    room: int = 4
    ttl: float = 6.0
    fence: bool = True


class Worker:
    def __init__(self, deps: WorkerDependencies) -> None:
        self._deps = deps
        self._clock = deps.clock
        self._records: dict[str, SessionRecord] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._owned: dict[str, SessionRunner] = {}
        self._renewed: dict[str, float] = {}
        """When each owned session's lease was renewed last, on the monotonic clock."""
        self._tasks = Tasks(deps.clock)
        self._room = asyncio.Semaphore(deps.room)
        self._started_at = deps.clock.monotonic()
        self._stopping = asyncio.Event()
        self._stopped: list[asyncio.Event] = []

    async def start(self) -> None:
        self._tasks.spawn("heartbeat", self._beat)
        await self._deps.sessions.watch(self._record_changed)

    async def stop(self) -> None:
        """Every owned session is stopped in order, with its last copies; the leases are released at once."""
        self._stopping.set()
        for changed in self._changed.values():
            changed.set()
        for runner in list(self._owned.values()):
            # in doubt of the lease the browser must not run again, not even to say goodbye
            runner.post(Event.LEASE_LOST if runner.frozen else Event.STOP)
        for stopped in list(self._stopped):
            await stopped.wait()
        await self._tasks.stop()

    def doubt(self) -> float:
        """Seconds since the newest renewal, of the lease that was renewed longest ago, of the sessions whose browser
        runs now. A frozen browser needs nobody to end it while this process lives."""
        ages = [self._age(session) for session, runner in self._owned.items() if not runner.frozen]
        return max(ages, default=0.0)

    def _age(self, session: str) -> float:
        """Seconds since the newest renewal of the session's lease was sent."""
        return self._clock.monotonic() - self._renewed[session]

    @property
    def owned(self) -> tuple[str, ...]:
        return tuple(self._owned)

    def _record_changed(self, session: str, record: SessionRecord | None) -> None:
        if record is None:
            return
        self._records[session] = record
        if session not in self._changed:
            self._changed[session] = asyncio.Event()
            self._tasks.spawn(f"session-{session}", lambda: self._session_task(session))
        self._changed[session].set()
        runner = self._owned.get(session)
        if runner is not None:
            self._tell(runner, record)

    @staticmethod
    def _tell(runner: SessionRunner, record: SessionRecord) -> None:
        if record.request <= runner.request:
            return
        if record.desired == DesiredState.CLEARED:
            runner.post(Event.CLEAR)
        elif record.desired == DesiredState.STOPPED:
            runner.post(Event.STOP)
        else:
            runner.again(record.request)

    async def _session_task(self, session: str) -> None:
        """For ever: wait until something is wanted of the session, own it, do it."""
        while not self._stopping.is_set():
            deps = self._deps.deps_of(session)
            if self._is_wanted(session, deps):
                await self._own(session, deps)
            else:
                self._changed[session].clear()
                await self._changed[session].wait()

    def _is_wanted(self, session: str, deps: Dependencies) -> bool:
        """To be run; or to be cleared, which is not done before the store has heard of it."""
        record, remembered = self._records[session], deps.durable_record.load()
        if record.desired == DesiredState.RUNNING:
            return True
        return record.desired == DesiredState.CLEARED and (
            record.request > remembered.request or remembered.tombstone_owed
        )

    async def _own(self, session: str, deps: Dependencies) -> None:
        """Compete for the lease, then run until the session ends or the lease is lost. Room is taken only with the
        lease: a session that another worker holds keeps no place here."""
        while self._room.locked():
            await self._clock.sleep(ROOM_SECONDS)
        lease = Lease(
            self._deps.leases,
            session,
            owner=self._deps.worker,
            clock=self._clock,
            ttl=self._deps.ttl,
            at_least_epoch=deps.durable_record.load().epoch,
        )
        done = asyncio.Event()
        self._stopped.append(done)
        try:
            if await self._acquired(lease, session, deps) and not self._room.locked():
                async with self._room:
                    await self._run_owned(session, deps, lease)
        finally:
            await lease.release()
            done.set()
            self._stopped.remove(done)

    async def _acquired(self, lease: Lease, session: str, deps: Dependencies) -> bool:
        """False when the session is not wanted any more, or the worker stops, before the lease was ours."""
        competing = asyncio.ensure_future(lease.acquire())
        try:
            while not competing.done() and not self._stopping.is_set() and self._is_wanted(session, deps):
                await asyncio.wait({competing}, timeout=COMPETE_SECONDS)
            if competing.done():
                competing.result()
            return competing.done() and not self._stopping.is_set() and self._is_wanted(session, deps)
        finally:
            competing.cancel()
            await asyncio.gather(competing, return_exceptions=True)

    async def _run_owned(self, session: str, deps: Dependencies, lease: Lease) -> None:
        self._renewed[session] = self._clock.monotonic() - lease.seconds_since_renewal
        runner = SessionRunner(deps, epoch=lease.epoch, owns=lambda: self._age(session) < self._deps.ttl)
        tasks = Tasks(self._clock)
        tasks.spawn(
            "lease", lambda: lease.maintain(lambda outcome, since: self._lease_said(session, runner, outcome, since))
        )
        try:
            async with deps.store.lock():
                try:
                    tasks.spawn("anchor", lambda: self._anchor(runner, deps, lease))
                    await self._run_locked(session, runner)
                finally:
                    # while the lock and the lease are still ours
                    await _end_browser(deps)
        except Conflict as error:
            log.error("profile_in_use", session=session, reason=error.message)
            await runner.report(State.FAILED, Reason.PROFILE_IN_USE)
            await self._until_changed(session, PROFILE_IN_USE_SECONDS)
            if self._records[session].desired == DesiredState.STOPPED:
                await self._report_stopped(runner, self._records[session])
        finally:
            await tasks.stop()

    async def _run_locked(self, session: str, runner: SessionRunner) -> None:
        record = self._records[session]
        if record.desired == DesiredState.CLEARED:
            await self._clear(runner, record)
            return
        if record.desired == DesiredState.STOPPED:
            await self._report_stopped(runner, record)
            return
        self._owned[session] = runner
        commands = self._deps.commands_of(session, runner.control)
        try:
            await commands.start()
            if self._stopping.is_set():
                return
            ended = await runner.run(record.request)
            wanted = self._records[session]
            if ended is Event.CLEAR:
                await runner.cleared(wanted.request)
            elif ended is Event.STOP and wanted.desired == DesiredState.STOPPED:
                await runner.stopped(wanted.request)
        finally:
            self._owned.pop(session, None)
            await commands.stop()

    @staticmethod
    async def _report_stopped(runner: SessionRunner, record: SessionRecord) -> None:
        """Of a session that is not running here."""
        await runner.report(State.STOPPED, Reason.STOPPED)
        await runner.stopped(record.request)

    async def _until_changed(self, session: str, seconds: float) -> None:
        """Until something else is asked of the session or the worker stops, at most so long."""
        changed = self._changed[session]
        changed.clear()
        if self._stopping.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await changed.wait()

    async def _clear(self, runner: SessionRunner, record: SessionRecord) -> None:
        if record.request > runner.request:
            await runner.clear(record.request)
        if record.request > runner.request or not await runner.pay_tombstone():
            with suppress(TimeoutError):
                async with asyncio.timeout(CLEAR_AGAIN_SECONDS):
                    await self._stopping.wait()

    def _lease_said(self, session: str, runner: SessionRunner, outcome: Outcome, since: float) -> None:
        self._renewed[session] = self._clock.monotonic() - since
        if outcome is Outcome.LOST:
            runner.lost()
        elif outcome is Outcome.HELD:
            runner.thaw()
        elif self._deps.fence and since > self._deps.ttl * (1 - MARGIN):
            runner.freeze()

    async def _anchor(self, runner: SessionRunner, deps: Dependencies, lease: Lease) -> None:
        """Ask the store to confirm the epoch, for as long as it takes: until then nothing is backed up."""
        while True:
            try:
                if not await runner.pay_tombstone():
                    await self._clock.sleep(2.0)
                    continue
                claimed = await deps.backups.claim_epoch(
                    owner=self._deps.worker, nonce=lease.nonce, at_least=lease.epoch
                )
                await lease.raise_epoch(claimed.epoch)
            except ServiceError as error:
                log.debug("epoch_not_anchored", code=error.code)
                await self._clock.sleep(2.0)
                continue
            runner.anchored(claimed.epoch)
            log.info("epoch_anchored", session=deps.session, epoch=claimed.epoch)
            await asyncio.Event().wait()

    async def _beat(self) -> None:
        while True:
            memory, disk_free = self._deps.facts()
            await self._deps.heartbeat(
                WorkerHeartbeat(
                    worker=self._deps.worker,
                    at=self._clock.now(),
                    sessions=self.owned,
                    free_capacity=max(0, self._deps.room - len(self._owned)),
                    memory_bytes=memory,
                    uptime_seconds=round(self._clock.monotonic() - self._started_at, 1),
                    disk_free_bytes=disk_free,
                )
            )
            await self._clock.sleep(HEARTBEAT_SECONDS)


async def _end_browser(deps: Dependencies) -> None:
    try:
        await deps.browser.close(timeout=2.0)
    except (BrowserGone, BrowserHangs, OSError) as error:
        log.warning("browser_killed", session=deps.session, error=type(error).__name__)
        deps.browser.kill()
