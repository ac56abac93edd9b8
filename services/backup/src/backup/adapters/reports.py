"""The results of backups, as Prometheus metrics and as events on the bus.

An event that cannot be published never fails the backup that it reports.
"""

from __future__ import annotations

import structlog

from shared.bus import Bus
from shared.clock import Clock
from shared.contracts import metrics as registry
from shared.contracts.backups import RecordFault, Stored
from shared.contracts.errors import ServiceError
from shared.contracts.events import BackupFailed, BackupsLost, BackupStored, RecordRejected
from shared.contracts.message import Message
from shared.contracts.subjects import event
from shared.runtime import Metrics

log = structlog.get_logger()
_MAX_SESSIONS = 200
"""Sessions with gauges of their own: the number of label values must stay bounded."""


class BusReports:
    def __init__(self, metrics: Metrics, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._sessions: set[str] = set()
        self._stored = metrics.counter(registry.BACKUP_STORED)
        self._unchanged = metrics.counter(registry.BACKUP_UNCHANGED)
        self._failed = metrics.counter(registry.BACKUP_FAILED)
        self._seconds = metrics.histogram(registry.BACKUP_STORE_SECONDS)
        self._uploaded = metrics.counter(registry.BACKUP_UPLOADED_BYTES)
        self._served = metrics.counter(registry.BACKUP_RESTORED_BYTES)
        self._bytes = metrics.gauge(registry.BACKUP_NEWEST_BYTES)
        self._bad = metrics.gauge(registry.BACKUP_BAD_BACKUPS)
        self._removed = metrics.counter(registry.BACKUP_REMOVED)
        self._lost = metrics.counter(registry.BACKUP_LOST)
        self._rejected = metrics.counter(registry.BACKUP_REJECTED_RECORDS)
        self._up = metrics.gauge(registry.BACKUP_STORE_UP)
        self._conditional = metrics.gauge(registry.BACKUP_CONDITIONAL_WRITES)

    async def stored(self, session: str, epoch: int, stored: Stored, *, bytes: int, seconds: float) -> None:
        if stored.unchanged:
            self._unchanged.inc()
            return
        self._stored.inc()
        self._seconds.observe(seconds)
        self._uploaded.inc(stored.stored_bytes)
        if self._has_label(session):
            self._bytes.labels(session).set(bytes)
        fact = BackupStored(
            session=session,
            at=self._clock.now(),
            epoch=epoch,
            backup=stored.backup,
            bytes=bytes,
            new_bytes=stored.new_bytes,
            seconds=seconds,
        )
        await self._publish("stored", session, fact)

    async def failed(self, session: str, epoch: int, code: str) -> None:
        self._failed.labels(code).inc()
        await self._publish(
            "failed", session, BackupFailed(session=session, at=self._clock.now(), epoch=epoch, code=code)
        )

    async def lost(self, session: str, backups: int, left: int) -> None:
        self._lost.inc(backups)
        fact = BackupsLost(session=session, at=self._clock.now(), count=backups, left=left)
        await self._publish("lost", session, fact)

    async def rejected(self, session: str, record: str, fault: RecordFault) -> None:
        self._rejected.labels(record, fault.value).inc()
        fact = RecordRejected(session=session, at=self._clock.now(), record=record, fault=fault.value)
        await self._publish("record-rejected", session, fact)

    def served(self, bytes: int) -> None:
        self._served.inc(bytes)

    def damage_found(self, backups: int) -> None:
        self._bad.set(backups)

    def removed(self, backups: int, generations: int) -> None:
        self._removed.labels("backup").inc(backups)
        self._removed.labels("generation").inc(generations)

    def store_is(self, *, up: bool, conditional: bool) -> None:
        self._up.set(up)
        self._conditional.set(conditional)

    def _has_label(self, session: str) -> bool:
        if len(self._sessions) < _MAX_SESSIONS:
            self._sessions.add(session)
        return session in self._sessions

    async def _publish(self, fact: str, session: str, message: Message) -> None:
        try:
            await self._bus.publish_event(event("backup", fact, session), message)
        except ServiceError as error:
            log.info("event_not_published", fact=fact, session=session, code=error.code)
