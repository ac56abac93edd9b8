"""One session on this worker: competes for its lease while something is to be done, owns it, does it, lets go."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import assert_never

from browser_worker.domain.budgets import END_SECONDS, freeze_after
from browser_worker.domain.events import Event
from browser_worker.ports import BrowserGone, BrowserHangs
from shared.bus.lease import Lease, Outcome
from shared.contracts.errors import Conflict, ServiceError
from shared.contracts.sessions import DesiredState, Reason, SessionRecord, State
from shared.runtime import Tasks, get_logger

from .dependencies import Dependencies
from .session_runner import SessionRunner
from .worker_dependencies import WorkerDependencies

log = get_logger()

CAPACITY_SECONDS = 0.5
COMPETE_SECONDS = 0.25
PROFILE_IN_USE_SECONDS = 10.0
CLEAR_AGAIN_SECONDS = 10.0
ANCHOR_AGAIN_SECONDS = 2.0


class SessionOwner:
    def __init__(
        self, deps: WorkerDependencies, record: SessionRecord, *, capacity: asyncio.Semaphore, stopping: asyncio.Event
    ) -> None:
        self.runner: SessionRunner | None = None
        """Set while this worker runs the session."""
        self.busy = False
        """Competing for the lease or holding it."""
        self._deps = deps
        self._clock = deps.clock
        self._record = record
        self._session = record.session
        self._capacity = capacity
        self._stopping = stopping
        self._changed = asyncio.Event()
        self._renewed_at = float("-inf")

    def seconds_since_renewal(self) -> float:
        """Since the newest renewal of the lease that succeeded was sent."""
        return self._clock.monotonic() - self._renewed_at

    def stop(self) -> None:
        """The worker stops. While the lease is in doubt the browser must not run again, not even for last copies."""
        self._changed.set()
        if self.runner is not None:
            self.runner.post(Event.LEASE_LOST if self.runner.frozen else Event.STOP)

    def record_changed(self, record: SessionRecord) -> None:
        if record.is_before(self._record):
            log.warning("earlier_record_ignored", session=self._session, request=record.request)
            return
        self._record = record
        self._changed.set()
        runner = self.runner
        if runner is None or record.request <= runner.request:
            return
        match self._desired():
            case DesiredState.RUNNING:
                runner.reinitialize(record.request)
            case DesiredState.STOPPED:
                runner.post(Event.STOP)
            case DesiredState.CLEARED:
                runner.post(Event.CLEAR)
            case None:
                log.warning("desired_state_unknown", session=self._session)
            case other:
                assert_never(other)

    def _desired(self) -> DesiredState | None:
        """None for a desired state that a newer gateway has written: nothing is done about it, neither a start nor a
        stop."""
        return DesiredState.read(self._record.desired)

    async def run(self) -> None:
        """Until the worker stops: wait until there is something to do, own the session, do it."""
        while not self._stopping.is_set():
            deps = self._deps.dependencies_of(self._session)
            if self._has_work(deps):
                self.busy = True
                try:
                    await self._own(deps)
                finally:
                    self.busy = False
            else:
                self._changed.clear()
                await self._changed.wait()

    def _has_work(self, deps: Dependencies) -> bool:
        """To run the session, or to clear it, which is not done before the object store has heard of it."""
        match self._desired():
            case DesiredState.RUNNING:
                return True
            case DesiredState.CLEARED:
                remembered = deps.durable_record.load()
                return self._record.request > remembered.request or remembered.tombstone_owed
            case DesiredState.STOPPED:
                return False
            case None:
                log.warning("desired_state_unknown", session=self._session)
                return False
            case other:
                assert_never(other)

    async def _own(self, deps: Dependencies) -> None:
        """Compete for the lease, then run until the session ends or the lease is lost. Capacity is taken only with the
        lease: a session that another worker holds takes no capacity here."""
        while self._capacity.locked():
            await self._clock.sleep(CAPACITY_SECONDS)
            if self._stopping.is_set():
                return
        lease = Lease(
            self._deps.leases,
            self._session,
            owner=self._deps.worker,
            clock=self._clock,
            ttl=self._deps.ttl,
            at_least_epoch=deps.durable_record.load().epoch,
        )
        try:
            if await self._acquired(lease, deps) and not self._capacity.locked():
                async with self._capacity:
                    await self._run_owned(deps, lease)
        finally:
            await lease.release()

    async def _acquired(self, lease: Lease, deps: Dependencies) -> bool:
        """False when there was nothing left to do, or the worker stops, before the lease was ours."""
        competing = asyncio.ensure_future(lease.acquire())
        try:
            while not competing.done() and not self._stopping.is_set() and self._has_work(deps):
                await asyncio.wait({competing}, timeout=COMPETE_SECONDS)
            if competing.done():
                competing.result()
            return competing.done() and not self._stopping.is_set() and self._has_work(deps)
        finally:
            competing.cancel()
            await asyncio.gather(competing, return_exceptions=True)

    async def _run_owned(self, deps: Dependencies, lease: Lease) -> None:
        self._renewed_at = self._clock.monotonic() - lease.seconds_since_renewal
        runner = SessionRunner(deps, epoch=lease.epoch, owns=lambda: self.seconds_since_renewal() < self._deps.ttl)
        tasks = Tasks(self._clock)
        tasks.spawn("lease", lambda: lease.maintain(lambda outcome, since: self._lease_renewed(runner, outcome, since)))
        try:
            async with deps.profile_store.lock():
                try:
                    tasks.spawn("anchor", lambda: self._anchor(runner, deps, lease))
                    await self._run_locked(runner)
                finally:
                    # while the lock and the lease are still ours
                    await _end_browser(deps)
        except Conflict as error:
            log.error("profile_in_use", session=self._session, reason=error.message)
            await runner.report(State.FAILED, Reason.PROFILE_IN_USE)
            await self._wait_for_change(PROFILE_IN_USE_SECONDS)
            if self._desired() is DesiredState.STOPPED:
                await self._report_stopped(runner)
        finally:
            await tasks.stop()

    def _lease_renewed(self, runner: SessionRunner, outcome: Outcome, since: float) -> None:
        """`since`: seconds since the newest renewal that succeeded was sent."""
        self._renewed_at = self._clock.monotonic() - since
        self._deps.metrics.lease_renewed(outcome.value)
        match outcome:
            case Outcome.LOST:
                runner.lease_lost()
            case Outcome.HELD:
                runner.thaw()
            case Outcome.UNKNOWN:
                if self._deps.fence and since > freeze_after(self._deps.ttl):
                    runner.freeze()
            case _:
                assert_never(outcome)

    async def _run_locked(self, runner: SessionRunner) -> None:
        match self._desired():
            case DesiredState.RUNNING:
                await self._run(runner)
            case DesiredState.CLEARED:
                await self._clear(runner)
            case DesiredState.STOPPED:
                await self._report_stopped(runner)
            case None:
                log.warning("desired_state_unknown", session=self._session)
            case other:
                assert_never(other)

    async def _run(self, runner: SessionRunner) -> None:
        self.runner = runner
        commands = self._deps.commands_of(self._session, runner.control)
        try:
            await commands.start()
            if self._stopping.is_set():
                return
            ended = await runner.run(self._record.request)
            if ended is Event.CLEAR:
                await runner.report_cleared(self._record.request)
            elif ended is Event.STOP and self._desired() is DesiredState.STOPPED:
                await runner.report_stopped(self._record.request)
        finally:
            self.runner = None
            await commands.stop()

    async def _report_stopped(self, runner: SessionRunner) -> None:
        """A session that is not running here was asked to stop."""
        await runner.report(State.STOPPED, Reason.STOPPED)
        await runner.report_stopped(self._record.request)

    async def _clear(self, runner: SessionRunner) -> None:
        """A clear that failed, or that the object store has not heard of, is tried again after a while."""
        request = self._record.request
        if request > runner.request:
            await runner.clear(request)
        if request > runner.request or not await runner.write_tombstone():
            with suppress(TimeoutError):
                async with asyncio.timeout(CLEAR_AGAIN_SECONDS):
                    await self._stopping.wait()

    async def _wait_for_change(self, seconds: float) -> None:
        """Until the desired state changes or the worker stops, at most so long."""
        self._changed.clear()
        if self._stopping.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _anchor(self, runner: SessionRunner, deps: Dependencies, lease: Lease) -> None:
        """Claim the epoch, and claim again when the object store knows another owner although the lease is ours: only a
        renewal that was sent after the refusal shows that it is."""
        while True:
            await self._claim(runner, deps, lease)
            await runner.fenced.wait()
            fenced_at = self._clock.monotonic()
            while self._renewed_at < fenced_at:
                await self._clock.sleep(COMPETE_SECONDS)
            log.warning("epoch_claimed_again", session=self._session)

    async def _claim(self, runner: SessionRunner, deps: Dependencies, lease: Lease) -> None:
        """Ask the object store to confirm the epoch, until it does: before that nothing is backed up."""
        while True:
            try:
                if await runner.write_tombstone():
                    claimed = await deps.backups.claim_epoch(
                        owner=self._deps.worker, nonce=lease.nonce, at_least=lease.epoch
                    )
                    await lease.raise_epoch(claimed.epoch)
                    runner.fenced.clear()
                    runner.epoch_anchored(claimed.epoch)
                    log.info("epoch_anchored", session=self._session, epoch=claimed.epoch)
                    return
            except ServiceError as error:
                log.debug("epoch_not_anchored", code=error.code)
            await self._clock.sleep(ANCHOR_AGAIN_SECONDS)


async def _end_browser(deps: Dependencies) -> None:
    try:
        await deps.browser.close(timeout=END_SECONDS)
    except (BrowserGone, BrowserHangs, OSError) as error:
        log.warning("browser_killed", session=deps.session, error=type(error).__name__)
        deps.browser.kill()
