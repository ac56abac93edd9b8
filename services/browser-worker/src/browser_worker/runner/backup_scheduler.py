"""Keeps the session safe while it is connected: carried localStorage, saves, backups. One at a time.

The trap: a backup is made only of a connected session, so that a QR page can never replace a good one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import msgspec

from browser_worker.domain.reading import PageState
from browser_worker.ports import BrowserGone, BrowserHangs, ProfileDamaged, Save, Snapshot
from shared.contracts.backups import BackupTrigger, Stored
from shared.contracts.errors import Fenced, NotConnected, ServiceError, Unavailable
from shared.contracts.events import SnapshotSaved
from shared.contracts.sessions import SavesStatus, State
from shared.runtime import get_logger

from .dependencies import Dependencies
from .freeze_guard import FreezeGuard, Holder
from .reporter import Reporter

log = get_logger()


class BackupScheduler:
    def __init__(
        self, deps: Dependencies, reporter: Reporter, stillness: FreezeGuard, *, epoch: Callable[[], int | None]
    ) -> None:
        """`epoch`: the epoch anchored in the store, None while it is not (then nothing can be backed up)."""
        self._deps = deps
        self._reporter = reporter
        self._stillness = stillness
        self._epoch = epoch
        self._one_at_a_time = asyncio.Lock()
        self._asked: BackupTrigger | None = None
        self._wake = asyncio.Event()
        self._saved_at = float("-inf")
        self._backed_up_at = float("-inf")
        self._tried_at = float("-inf")
        self._tried_before = False
        self._kept: Snapshot | None = None

    def ask(self, trigger: BackupTrigger) -> None:
        """A save and a backup as soon as possible."""
        self._asked = trigger
        self._wake.set()

    async def run(self) -> None:
        """For as long as the session is owned."""
        while True:
            if self._connected():
                await self._keep_once()
            await self._pause()

    async def save(self, trigger: BackupTrigger) -> None:
        """Snapshot the running browser and keep it. Raises what the snapshot raises."""
        async with self._one_at_a_time:
            await self._keep(await self._snapshot_running(), trigger)

    async def back_up(self, trigger: BackupTrigger) -> Stored:
        """Save, then store off-site, also when no save can be kept (a full disk). Raises ServiceError, ProfileDamaged,
        OSError."""
        async with self._one_at_a_time:
            if not self._connected():
                raise NotConnected("only a connected session is backed up", hint="initialize, then link the phone")
            snapshot = self._recent() if trigger is BackupTrigger.INTERVAL else None
            if snapshot is None:
                snapshot = await self._kept_if_possible(await self._snapshot_running(), trigger)
            return await self._store(snapshot, trigger)

    def _recent(self) -> Snapshot | None:
        """The newest save, when it is young: while the store is away the saves must not turn over at each attempt."""
        young = self._deps.clock.monotonic() - self._saved_at < self._deps.times.save / 2
        return self._kept if young and self._tried_before else None

    async def last(self, *, timeout: float) -> None:
        """The browser is closed: snapshot at rest, save, and back up as far as the time allows."""
        async with asyncio.timeout(timeout), self._one_at_a_time:
            version = await self._deps.browser.version()
            snapshot = await self._deps.store.snapshot_at_rest(epoch=self._epoch() or 0, browser_version=version)
            await self._store(await self._kept_if_possible(snapshot, BackupTrigger.STOP), BackupTrigger.STOP)

    async def carry(self) -> None:
        """Write localStorage beside the files, durably."""
        carried = await self._deps.browser.export_local_storage()
        await self._deps.store.write_local_storage_export(carried)

    def _connected(self) -> bool:
        return self._reporter.status.state == State.CONNECTED

    async def _keep_once(self) -> None:
        now, times = self._deps.clock.monotonic(), self._deps.times
        trigger, self._asked = self._asked, None
        due = now - self._backed_up_at >= times.back_up and now - self._tried_at >= times.back_up_retry
        try:
            if trigger or due:
                self._tried_at = now
                await self.back_up(trigger or BackupTrigger.INTERVAL)
            elif now - self._saved_at >= times.save:
                await self.save(BackupTrigger.INTERVAL)
        except (ServiceError, ProfileDamaged, OSError, BrowserGone, BrowserHangs, TimeoutError) as error:
            self._note_failure(error)
        await self._reporter.publish()

    async def _pause(self) -> None:
        self._wake.clear()
        if self._asked:
            # asked for while not connected: look again soon
            await self._deps.clock.sleep(0.2)
            return
        try:
            async with asyncio.timeout(1.0):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _snapshot_running(self) -> Snapshot:
        deps = self._deps
        if self._stillness.held_by(Holder.LEASE):
            raise Unavailable("the lease is in doubt, the browser stands still")
        await self._must_show_login()
        try:
            await self.carry()
        except (BrowserGone, BrowserHangs) as error:
            log.warning("local_storage_not_read", session=deps.session, error=type(error).__name__)
        snapshot = await deps.store.snapshot(
            freeze=lambda: self._stillness.hold(Holder.SNAPSHOT),
            thaw=lambda: self._stillness.release(Holder.SNAPSHOT),
            epoch=self._epoch() or self._reporter.status.epoch,
            browser_version=await deps.browser.version(),
            page_version=self._reporter.status.browser.page_version,
        )
        await self._must_show_login()
        return snapshot

    async def _keep(self, snapshot: Snapshot, trigger: BackupTrigger) -> Snapshot:
        """The snapshot where it lies as a save."""
        save = await self._deps.store.add_save(snapshot)
        await self._note_save(save, snapshot)
        log.info(
            "saved",
            session=self._deps.session,
            trigger=trigger.value,
            bytes=save.bytes,
            pause_ms=round(snapshot.pause_ms, 1),
        )
        self._kept = replace(snapshot, folder=save.folder)
        return self._kept

    async def _kept_if_possible(self, snapshot: Snapshot, trigger: BackupTrigger) -> Snapshot:
        """A snapshot that cannot be kept here is still worth a backup."""
        try:
            return await self._keep(snapshot, trigger)
        except OSError as error:
            self._note_no_save(type(error).__name__)
            return snapshot

    async def _must_show_login(self) -> None:
        """Before and after the snapshot, so that a page that has lost its login meanwhile becomes no copy."""
        if (await self._deps.browser.read()).state is not PageState.CONNECTED:
            raise NotConnected("the page is not connected at this moment")

    async def _note_save(self, save: Save, snapshot: Snapshot) -> None:
        deps = self._deps
        self._saved_at = deps.clock.monotonic()
        saves = await deps.store.saves()
        facts = SavesStatus(
            count=len(saves),
            newest_at=save.taken_at,
            newest_bytes=save.bytes,
            bytes=await deps.store.saves_bytes(),
            pause_ms=snapshot.pause_ms,
        )
        self._reporter.set(saves=facts)
        event = SnapshotSaved(
            session=deps.session,
            at=save.taken_at,
            epoch=self._reporter.status.epoch,
            bytes=save.bytes,
            pause_ms=snapshot.pause_ms,
        )
        await deps.publish_event("session", "snapshot_saved", event)

    async def _store(self, snapshot: Snapshot, trigger: BackupTrigger) -> Stored:
        epoch = self._epoch()
        if epoch is None:
            raise ServiceError("the session's epoch is not anchored in the store yet", code="epoch_not_claimed")
        async with self._deps.store.offer(snapshot) as chunks:
            stored = await self._deps.backups.store(snapshot, chunks, epoch=epoch, trigger=trigger)
        now = self._deps.clock.now()
        self._tried_before = False
        self._backed_up_at = self._deps.clock.monotonic()
        before = self._reporter.status.backups
        self._reporter.set(
            backups=msgspec.structs.replace(
                before,
                known=True,
                count=before.count if stored.unchanged else before.count + 1,
                newest_id=stored.backup,
                # an unchanged session is as safe now as one that was stored now
                newest_at=snapshot.manifest.taken_at,
                newest_bytes=snapshot.manifest.total_bytes(),
                stored_bytes=stored.stored_bytes or before.stored_bytes,
                last_attempt_at=now,
                last_error="",
            )
        )
        return stored

    def _note_failure(self, error: Exception) -> None:
        code = error.code if isinstance(error, ServiceError) else type(error).__name__
        log.warning("not_saved", session=self._deps.session, code=code, fenced=isinstance(error, Fenced))
        now = self._deps.clock.now()
        self._tried_before = True
        if isinstance(error, ServiceError):
            backups = self._reporter.status.backups
            self._reporter.set(backups=msgspec.structs.replace(backups, last_attempt_at=now, last_error=code))
        else:
            self._note_no_save(code)

    def _note_no_save(self, code: str) -> None:
        log.warning("no_save_kept", session=self._deps.session, code=code)
        self._saved_at = self._deps.clock.monotonic() - self._deps.times.save + self._deps.times.back_up_retry
        self._reporter.set(saves=msgspec.structs.replace(self._reporter.status.saves, last_error=code))
