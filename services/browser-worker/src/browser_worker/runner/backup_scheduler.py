"""Decides when a connected session is saved and backed up, and does it: one copy at a time.

A save is a snapshot kept on this disk, a backup is a snapshot stored off-site. Each has a pace of its own: saves
are cheap and frequent, backups go over the network. A backup that fails is tried again at a pace of its own, and while
it fails the newest save is offered again instead of a new snapshot, so that the few saves that are kept do not all come
from the time of the outage. A person's request and a new link come before both paces.

The trap: a page that has lost its login still has files. A copy of those files would become the newest copy, and
restoring it would bring a QR back. So a running browser is copied only while the session is connected, and the page is
asked before and after the snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import msgspec

from browser_worker.domain.reading import PageState
from browser_worker.ports import BrowserGone, BrowserHangs, CopyOutcome, ProfileDamaged, Save, Snapshot
from shared.contracts.backups import BackupTrigger, Stored
from shared.contracts.errors import Fenced, NotConnected, ServiceError, Unavailable
from shared.contracts.events import SnapshotSaved
from shared.contracts.sessions import SavesStatus, State
from shared.runtime import get_logger

from .dependencies import Dependencies
from .freeze_guard import FreezeGuard, Holder
from .reporter import Reporter

log = get_logger()

FAILURES = (ServiceError, ProfileDamaged, OSError, BrowserGone, BrowserHangs, TimeoutError)
"""What a save or a backup may end with."""
LOOK_SECONDS = 1.0
LOOK_SOON_SECONDS = 0.2
"""Between two looks at what is due; soon while a request waits for the session to be connected."""


class BackupScheduler:
    def __init__(
        self,
        deps: Dependencies,
        reporter: Reporter,
        freeze_guard: FreezeGuard,
        *,
        epoch: Callable[[], int | None],
        fenced: Callable[[], None],
    ) -> None:
        """`epoch`: the epoch anchored in the object store; None until it is, and then nothing can be backed up.
        `fenced`: called when a backup is refused because the object store knows another owner."""
        self._deps = deps
        self._reporter = reporter
        self._freeze_guard = freeze_guard
        self._epoch = epoch
        self._fenced = fenced
        self._one_at_a_time = asyncio.Lock()
        self._requested: BackupTrigger | None = None
        self._wake = asyncio.Event()
        self._saved_at = float("-inf")
        self._backed_up_at = float("-inf")
        self._tried_at = float("-inf")
        self._last_try_failed = False
        self._newest_save: Snapshot | None = None

    def request(self, trigger: BackupTrigger) -> None:
        """A save and a backup as soon as possible."""
        self._requested = trigger
        self._wake.set()

    async def run(self) -> None:
        """As long as the session is owned."""
        while True:
            if self._connected():
                await self._do_what_is_due()
            await self._wait()

    async def save(self, trigger: BackupTrigger) -> None:
        """Snapshot the running browser and save it. Raises what the snapshot raises."""
        async with self._one_at_a_time:
            await self._save(await self._snapshot_running(), trigger)

    async def back_up(self, trigger: BackupTrigger) -> Stored:
        """Save, then store off-site, also when no save can be made (a full disk). A failure is in the status, whoever
        asked. Raises ServiceError, ProfileDamaged, OSError, BrowserGone, BrowserHangs."""
        async with self._one_at_a_time:
            try:
                return await self._back_up(trigger)
            except FAILURES as error:
                self._report_failure(error, backing_up=True)
                raise

    async def _back_up(self, trigger: BackupTrigger) -> Stored:
        if not self._connected():
            raise NotConnected("only a connected session is backed up", hint="initialize, then link the phone")
        snapshot = self._young_save() if trigger is BackupTrigger.INTERVAL else None
        if snapshot is None:
            snapshot = await self._save_if_possible(await self._snapshot_running(), trigger)
        return await self._store(snapshot, trigger)

    def _young_save(self) -> Snapshot | None:
        """The newest save, to be offered again after a failure."""
        young = self._deps.clock.monotonic() - self._saved_at < self._deps.times.save / 2
        return self._newest_save if young and self._last_try_failed else None

    async def make_final_copies(self, *, timeout: float) -> None:
        """The browser is closed: snapshot the profile at rest, save it, and back it up as far as the time allows.
        `timeout` in seconds; raises TimeoutError and what `back_up` raises."""
        async with asyncio.timeout(timeout), self._one_at_a_time:
            version = await self._deps.browser.version()
            snapshot = await self._deps.profile_store.snapshot_at_rest(
                epoch=self._epoch() or 0, browser_version=version
            )
            await self._store(await self._save_if_possible(snapshot, BackupTrigger.STOP), BackupTrigger.STOP)

    async def export_local_storage(self) -> None:
        """Write the page's localStorage beside the profile's files, durably. Raises BrowserGone, BrowserHangs,
        OSError."""
        export = await self._deps.browser.export_local_storage()
        await self._deps.profile_store.write_local_storage_export(export)

    def _connected(self) -> bool:
        return self._reporter.status.state == State.CONNECTED

    async def _do_what_is_due(self) -> None:
        now, times = self._deps.clock.monotonic(), self._deps.times
        trigger, self._requested = self._requested, None
        due = now - self._backed_up_at >= times.back_up and now - self._tried_at >= times.back_up_retry
        if trigger or due:
            self._tried_at = now
            with suppress(*FAILURES):  # reported already
                await self.back_up(trigger or BackupTrigger.INTERVAL)
        elif now - self._saved_at >= times.save:
            try:
                await self.save(BackupTrigger.INTERVAL)
            except FAILURES as error:
                self._report_failure(error, backing_up=False)
        await self._reporter.publish()

    async def _wait(self) -> None:
        self._wake.clear()
        if self._requested:
            # requested while not connected: look again soon
            await self._deps.clock.sleep(LOOK_SOON_SECONDS)
            return
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _snapshot_running(self) -> Snapshot:
        deps = self._deps
        if Holder.LEASE in self._freeze_guard.holders:
            raise Unavailable("the lease is in doubt, and the browser is frozen")
        await self._must_show_login()
        try:
            await self.export_local_storage()
        except (BrowserGone, BrowserHangs) as error:
            log.warning("local_storage_not_exported", session=deps.session, error=type(error).__name__)
        snapshot = await deps.profile_store.snapshot(
            freeze=lambda: self._freeze_guard.hold(Holder.SNAPSHOT),
            thaw=lambda: self._freeze_guard.release(Holder.SNAPSHOT),
            epoch=self._epoch() or self._reporter.status.epoch,
            browser_version=await deps.browser.version(),
            page_version=self._reporter.status.browser.page_version,
        )
        deps.metrics.snapshot_paused(snapshot.pause_ms / 1000)
        await self._must_show_login()
        return snapshot

    async def _must_show_login(self) -> None:
        if (await self._deps.browser.read()).state is not PageState.CONNECTED:
            raise NotConnected("the page is not connected at this moment")

    async def _save(self, snapshot: Snapshot, trigger: BackupTrigger) -> Snapshot:
        """The snapshot at its place as a save."""
        save = await self._deps.profile_store.add_save(snapshot)
        await self._report_save(save, snapshot)
        self._deps.metrics.saved(CopyOutcome.MADE)
        log.info(
            "saved",
            session=self._deps.session,
            trigger=trigger.value,
            bytes=save.bytes,
            pause_ms=round(snapshot.pause_ms, 1),
        )
        self._newest_save = replace(snapshot, folder=save.folder)
        return self._newest_save

    async def _save_if_possible(self, snapshot: Snapshot, trigger: BackupTrigger) -> Snapshot:
        """A snapshot that cannot be saved here is still worth a backup."""
        try:
            return await self._save(snapshot, trigger)
        except OSError as error:
            self._report_no_save(type(error).__name__)
            return snapshot

    async def _report_save(self, save: Save, snapshot: Snapshot) -> None:
        deps = self._deps
        self._saved_at = deps.clock.monotonic()
        saves = await deps.profile_store.saves()
        status = SavesStatus(
            count=len(saves),
            newest_at=save.taken_at,
            newest_bytes=save.bytes,
            bytes=await deps.profile_store.saves_bytes(),
            pause_ms=snapshot.pause_ms,
        )
        self._reporter.set(saves=status)
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
            raise ServiceError("the object store has not confirmed the session's epoch yet", code="epoch_not_claimed")
        try:
            async with self._deps.profile_store.offer(snapshot) as chunks:
                stored = await self._deps.backups.store(snapshot, chunks, epoch=epoch, trigger=trigger)
        except ServiceError as error:
            self._deps.metrics.backed_up(CopyOutcome.FAILED)
            if isinstance(error, Fenced) and error.code == Fenced.code:
                self._fenced()
            raise
        self._deps.metrics.backed_up(CopyOutcome.UNCHANGED if stored.unchanged else CopyOutcome.MADE)
        self._last_try_failed = False
        self._backed_up_at = self._deps.clock.monotonic()
        self._report_stored(stored, snapshot)
        return stored

    def _report_stored(self, stored: Stored, snapshot: Snapshot) -> None:
        before = self._reporter.status.backups
        self._reporter.set(
            backups=msgspec.structs.replace(
                before,
                known=True,
                seen_at=self._deps.clock.now(),
                count=before.count if stored.unchanged else before.count + 1,
                newest_id=stored.backup,
                # an unchanged session is as safe now as one that was stored now
                newest_at=snapshot.manifest.taken_at,
                newest_bytes=snapshot.manifest.total_bytes(),
                stored_bytes=stored.stored_bytes or before.stored_bytes,
                last_attempt_at=self._deps.clock.now(),
                last_error="",
            )
        )

    def _report_failure(self, error: Exception, *, backing_up: bool) -> None:
        code = error.code if isinstance(error, ServiceError) else type(error).__name__
        log.warning("not_saved", session=self._deps.session, code=code, fenced=isinstance(error, Fenced))
        self._last_try_failed = True
        status = self._reporter.status
        if backing_up:
            now = self._deps.clock.now()
            backups = msgspec.structs.replace(status.backups, last_attempt_at=now, last_error=code)
            self._reporter.set(backups=backups)
        elif isinstance(error, ServiceError):
            self._reporter.set(saves=msgspec.structs.replace(status.saves, last_error=code))
        if not isinstance(error, ServiceError):
            self._report_no_save(code)

    def _report_no_save(self, code: str) -> None:
        """The next save is tried at the pace of a failed backup."""
        self._deps.metrics.saved(CopyOutcome.FAILED)
        log.warning("no_save_made", session=self._deps.session, code=code)
        self._saved_at = self._deps.clock.monotonic() - self._deps.times.save + self._deps.times.back_up_retry
        self._reporter.set(saves=msgspec.structs.replace(self._reporter.status.saves, last_error=code))
