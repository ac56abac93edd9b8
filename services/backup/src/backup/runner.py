"""What the service does by itself: watch the store, tell that it lives, and keep or remove backups.

Removing is the dangerous part: only `domain.retention` decides, only a session whose listing and tombstone could be
read is tidied, and a generation goes only when a fresh listing shows no manifest in it.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from shared.bus import Bus
from shared.clock import Clock
from shared.contracts.errors import ServiceError
from shared.contracts.subjects import telemetry
from shared.contracts.telemetry import BackupHeartbeat

from .domain import layout
from .domain.generations import Limits, is_left_over
from .domain.retention import BAD, Candidate, Policy, judge
from .ports import Catalogue, ObjectStore, Reports, Shelf, Shelved

log = structlog.get_logger()
HEARTBEAT_SECONDS = 5.0


class StoreWatch:
    """Whether the store answers, as of the last look."""

    def __init__(self, store: ObjectStore, reports: Reports, clock: Clock, *, interval: float) -> None:
        self._store = store
        self._reports = reports
        self._clock = clock
        self._interval = interval
        self.ok = False
        self.error = "not asked yet"

    async def run(self) -> None:
        while True:
            await self.look()
            await self._clock.sleep(self._interval)

    async def look(self) -> None:
        try:
            await self._store.prepare()
            await self._store.probe()
        except ServiceError as error:
            self._change(ok=False, error=error.message, hint=error.hint)
        else:
            self._change(ok=True, error="", hint="")
        self._reports.store_is(up=self.ok, conditional=self._store.conditional)

    def _change(self, *, ok: bool, error: str, hint: str) -> None:
        """One line when it is lost, one when it is back."""
        if ok and not self.ok:
            log.info("store_is_back")
        elif not ok and error != self.error:
            log.warning("store_lost", error=error, hint=hint)
        self.ok, self.error = ok, error


class Heartbeat:
    def __init__(self, bus: Bus, watch: StoreWatch, clock: Clock, *, instance: str) -> None:
        self._bus = bus
        self._watch = watch
        self._clock = clock
        self._instance = instance
        self._started = clock.monotonic()

    async def run(self) -> None:
        while True:
            await self.beat()
            await self._clock.sleep(HEARTBEAT_SECONDS)

    async def beat(self) -> None:
        message = BackupHeartbeat(
            instance=self._instance,
            at=self._clock.now(),
            store_ok=self._watch.ok,
            store_error=self._watch.error,
            uptime_seconds=self._clock.monotonic() - self._started,
        )
        await self._bus.publish(telemetry("backup", "heartbeat", self._instance), message)


class Upkeep:
    """Retention and the purge of cleared sessions. Several replicas may do it at once: every step can be repeated."""

    def __init__(
        self, shelf: Shelf, reports: Reports, clock: Clock, *, policy: Policy, limits: Limits, interval: float
    ) -> None:
        self._shelf = shelf
        self._reports = reports
        self._clock = clock
        self._policy = policy
        self._limits = limits
        self._interval = interval

    async def run(self) -> None:
        while True:
            try:
                await self.tidy_all()
            except ServiceError as error:
                log.info("upkeep_put_off", code=error.code)
            await self._clock.sleep(self._interval)

    async def tidy_all(self) -> None:
        bad = 0
        for session in await self._shelf.sessions():
            bad += await self.tidy(session)
        self._reports.damage_found(bad)

    async def tidy(self, session: str) -> int:
        """Remove what retention lets go. Returns the number of bad backups."""
        catalogue = await self._shelf.catalogue(session)
        if not catalogue.grave_damaged:
            going = self._going(catalogue)
            await self._shelf.forget([item.ref for item in going])
            generations = await self._drop_empty(catalogue, {item.ref.generation for item in going})
            await self._drop_keys(catalogue, going)
            self._reports.removed(len(going), generations)
        return sum(item.state == BAD for item in catalogue.backups)

    def _going(self, catalogue: Catalogue) -> list[Shelved]:
        tombstoned_at = catalogue.grave.tombstoned_at if catalogue.grave else None
        candidates = [_candidate(item) for item in catalogue.backups]
        verdicts = judge(candidates, self._policy, self._clock.now(), tombstoned_at=tombstoned_at)
        reasons = {verdict.id: verdict.reasons for verdict in verdicts if not verdict.keep}
        going = [item for item in catalogue.backups if item.ref.id in reasons]
        for item in going:
            log.info(
                "backup_let_go",
                session=catalogue.inventory.session,
                backup=item.ref.id,
                why=", ".join(reasons[item.ref.id]),
            )
        return going

    async def _drop_empty(self, catalogue: Catalogue, touched: set[str]) -> int:
        """Generations that lost their last backup just now, and what failed stores left behind."""
        dropped = 0
        for generation in catalogue.inventory.generations.values():
            if generation.name in touched or is_left_over(generation, self._limits, self._clock.now()):
                gone = await self._shelf.drop_generation(catalogue.inventory.session, generation.name)
                dropped += gone
                if gone:
                    log.info("generation_dropped", session=catalogue.inventory.session, generation=generation.name)
        return dropped

    async def _drop_keys(self, catalogue: Catalogue, going: list[Shelved]) -> None:
        """Once a cleared session's grace time is over, the data keys of its former life go too, unless a backup that
        stays needs one or cannot tell."""
        grave = catalogue.grave
        if grave is None or self._clock.now() < grave.tombstoned_at + self._policy.cleared_for:
            return
        gone = {item.ref.manifest.key for item in going}
        staying = [item for item in catalogue.backups if item.ref.manifest.key not in gone]
        if any(item.summary is None for item in staying):
            return
        needed = {item.summary.key for item in staying if item.summary}
        old = [name for name in catalogue.inventory.keys if name not in needed and _is_older(name, grave.tombstoned_at)]
        await self._shelf.drop_keys(catalogue.inventory.session, old)


def _is_older(name: str, moment: datetime) -> bool:
    try:
        return layout.key_created(name) <= moment
    except layout.BadName:
        return False


def _candidate(item: Shelved) -> Candidate:
    name = item.ref.name
    return Candidate(item.ref.id, (name.epoch, name.sequence), name.taken_at, item.state)
