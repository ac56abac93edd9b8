"""What the service does without being asked: probe the store, publish a heartbeat, and apply retention.

Removal is the dangerous part. Only `domain` decides what goes, a session is left alone unless its listing and its
tombstone could be read, and a generation goes only when a fresh listing shows no manifest in it.
"""

from __future__ import annotations

import structlog

from shared.bus import Bus
from shared.clock import Clock
from shared.contracts.backups import BackupState
from shared.contracts.errors import ServiceError
from shared.contracts.subjects import telemetry
from shared.contracts.telemetry import BackupHeartbeat

from .domain.data_keys import expired_keys
from .domain.entries import Entry, Listing
from .domain.generations import GenerationPolicy, is_orphan
from .domain.retention import RetentionPolicy, judge_listing
from .ports import EpochStore, ObjectStore, Reports, Repository

log = structlog.get_logger()
HEARTBEAT_SECONDS = 5.0


class StoreProbe:
    """Whether the store answered the last probe. `interval` in seconds."""

    def __init__(self, store: ObjectStore, reports: Reports, clock: Clock, *, interval: float) -> None:
        self._store = store
        self._reports = reports
        self._clock = clock
        self._interval = interval
        self.ok = False
        self.error = "not asked yet"

    async def run(self) -> None:
        while True:
            await self.probe()
            await self._clock.sleep(self._interval)

    async def probe(self) -> None:
        try:
            await self._store.prepare()
            await self._store.probe()
        except ServiceError as error:
            self._note(ok=False, error=error.message, hint=error.hint)
        else:
            self._note(ok=True, error="", hint="")
        self._reports.store_is(up=self.ok, conditional=self._store.conditional)

    def _note(self, *, ok: bool, error: str, hint: str) -> None:
        """One log line when the store is lost, one when it is back."""
        if ok and not self.ok:
            log.info("store_is_back")
        elif not ok and error != self.error:
            log.warning("store_lost", error=error, hint=hint)
        self.ok, self.error = ok, error


class Heartbeat:
    def __init__(self, bus: Bus, probe: StoreProbe, clock: Clock, *, instance: str) -> None:
        self._bus = bus
        self._probe = probe
        self._clock = clock
        self._instance = instance
        self._started = clock.monotonic()

    async def run(self) -> None:
        while True:
            await self.publish()
            await self._clock.sleep(HEARTBEAT_SECONDS)

    async def publish(self) -> None:
        message = BackupHeartbeat(
            instance=self._instance,
            at=self._clock.now(),
            store_ok=self._probe.ok,
            store_error=self._probe.error,
            uptime_seconds=self._clock.monotonic() - self._started,
        )
        await self._bus.publish(telemetry("backup", "heartbeat", self._instance), message)


class Maintenance:
    """Retention, the removal of cleared sessions, and the change of the master key. Several replicas may do it at once:
    every step can be repeated. `interval` in seconds; `sign_anew` while a previous master key is accepted."""

    def __init__(
        self,
        epochs: EpochStore,
        repository: Repository,
        reports: Reports,
        clock: Clock,
        *,
        retention: RetentionPolicy,
        generations: GenerationPolicy,
        interval: float,
        sign_anew: bool = False,
    ) -> None:
        self._epochs = epochs
        self._repository = repository
        self._reports = reports
        self._clock = clock
        self._retention = retention
        self._generations = generations
        self._interval = interval
        self._sign_anew = sign_anew

    async def run(self) -> None:
        while True:
            try:
                await self.maintain_all()
            except ServiceError as error:
                log.info("maintenance_postponed", code=error.code)
            await self._clock.sleep(self._interval)

    async def maintain_all(self) -> None:
        """One session that cannot be maintained keeps no other from it. Raises ServiceError for a store that cannot be
        asked."""
        bad = 0
        for session in await self._repository.sessions():
            try:
                bad += await self.maintain(session)
            except ServiceError as error:
                log.warning("session_not_maintained", session=session, code=error.code)
        self._reports.damage_found(bad)

    async def maintain(self, session: str) -> int:
        """Remove what retention lets go. Returns the number of bad backups that the listing showed."""
        listing = await self._repository.list_backups(session)
        if self._sign_anew:
            await self._epochs.sign_anew(session)
            await self._repository.rewrap_keys(listing)
        if not listing.tombstone_rejected:
            expired = self._expired(listing)
            await self._repository.remove_backups(session, [entry.ref for entry in expired])
            generations = await self._remove_generations(listing, {entry.ref.generation for entry in expired})
            keys = expired_keys(listing, expired, grace=self._retention.cleared_for, now=self._clock.now())
            await self._repository.remove_keys(session, keys)
            self._reports.removed(len(expired), generations)
        return sum(entry.state is BackupState.BAD for entry in listing.entries)

    def _expired(self, listing: Listing) -> list[Entry]:
        verdicts = judge_listing(listing, self._retention, self._clock.now())
        expired = [entry for entry in listing.entries if not verdicts[entry.ref.id].kept]
        for entry in expired:
            reasons = ", ".join(verdicts[entry.ref.id].reasons)
            log.info("backup_expired", session=listing.session, backup=entry.ref.id, reasons=reasons)
        return expired

    async def _remove_generations(self, listing: Listing, touched: set[str]) -> int:
        """Remove the generations that have just lost their last backup, and the orphans. Returns their number."""
        removed = 0
        for generation in listing.objects.generations.values():
            if generation.name in touched or is_orphan(generation, self._generations, self._clock.now()):
                gone = await self._repository.remove_generation(listing.session, generation.name)
                removed += gone
                if gone:
                    log.info("generation_removed", session=listing.session, generation=generation.name)
        return removed
