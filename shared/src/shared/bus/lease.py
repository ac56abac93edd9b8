"""Who owns a session: a lease by observed revision, without a TTL of the store.

The owner writes its record again every sixth of the TTL, and each write gives the record a new revision. A competitor
takes over only when it has itself seen one revision unchanged for a whole TTL while it could ask. No clock is ever
compared with another machine's: each side measures a duration on its own monotonic clock, so a wrong time of day
cannot make two owners. A TTL of the store would let NATS delete the record of a living owner, for example after a
restart, and the deletion would look like a free lease.

The two sides measure from different moments, on the safe side each. The owner counts from when it *sent* its newest
acknowledged renewal, a competitor from when it *saw* the revision, which is later. A record that turns out to be ours
after a lost acknowledgement may have been stored long ago, so it is written again before it counts.

A renewal has three outcomes. LOST: another owner's record is there. UNKNOWN: NATS did not answer, so the lease may be
held or not; the caller decides what a doubt means (ADR 7). HELD: the write was acknowledged.

A record that no worker has signed says nothing about who owns the session, and nobody can want it there. To a
competitor it is a revision like any other: it waits a whole TTL, in which a living owner writes its record again. The
owner writes over it, by compare-and-set, so that it never writes over another owner's record.
A competitor does not take a *released* record at its word when it has seen a newer epoch.

The epoch is the fencing number. Each takeover writes an epoch above every one that it knows; the backup service anchors
the epoch in the object store, so that it also grows when NATS loses its data (`raise_epoch`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4

import structlog

from shared.clock import Clock
from shared.contracts.errors import Conflict, ServiceError
from shared.contracts.message import BadMessage
from shared.contracts.sessions import LeaseRecord

from .buckets import Bucket, UnverifiedValue

RENEWALS_PER_TTL = 6
LOOKS_PER_TTL = 24
"""How often a competitor looks: a released lease is taken within a 24th of the TTL."""
RELEASE_SECONDS = 2.0

log = structlog.get_logger()


class Outcome(StrEnum):
    """The outcome of a renewal; see the module."""

    HELD = "held"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class _Observation:
    """The revision that a competitor sees, and since when (monotonic seconds). Revision 0: no record."""

    revision: int
    since: float


class Lease:
    """The lease of one key, for one owner. `epoch` and `nonce` belong to the present hold."""

    def __init__(
        self,
        bucket: Bucket[LeaseRecord],
        key: str,
        *,
        owner: str,
        clock: Clock,
        ttl: float = 6.0,
        at_least_epoch: int = 0,
    ) -> None:
        self.epoch = 0
        self.nonce = ""
        self._bucket = bucket
        self._key = key
        self._owner = owner
        self._clock = clock
        self._ttl = ttl
        self._at_least_epoch = at_least_epoch
        self._revision = 0
        self._held = False
        self._renewed_at = 0.0
        self._seen_before = False
        self._newest_epoch = 0
        self._lock = asyncio.Lock()

    @property
    def seconds_since_renewal(self) -> float:
        """Seconds since the newest acknowledged renewal was sent."""
        return self._clock.monotonic() - self._renewed_at

    async def acquire(self) -> int:
        """Compete until the lease is held. Returns the new epoch, which is above every known one."""
        self._held = False
        self.nonce = uuid4().hex
        seen: _Observation | None = None
        while True:
            try:
                seen = await self._look(seen)
            except Conflict:
                seen = None  # somebody was faster
            except (ServiceError, BadMessage, TimeoutError) as error:
                log.debug("lease_unknown", session=self._key, error=type(error).__name__)
                seen = None
            if self._held:
                log.info("lease_acquired", session=self._key, epoch=self.epoch)
                return self.epoch
            await self._clock.sleep(self._ttl / LOOKS_PER_TTL)

    async def renew(self) -> Outcome:
        """One renewal. LOST only when another hold is seen."""
        async with self._lock:
            if not self._held:
                return Outcome.LOST
            try:
                async with asyncio.timeout(self._ttl / RENEWALS_PER_TTL):
                    return await self._renew()
            except (ServiceError, BadMessage, TimeoutError):
                return Outcome.UNKNOWN

    async def maintain(self, on_outcome: Callable[[Outcome, float], None]) -> None:
        """Renew every sixth of the TTL until the lease is lost. `on_outcome` gets each outcome, UNKNOWN while NATS is
        away included, with `seconds_since_renewal`."""
        pace = self._ttl / RENEWALS_PER_TTL
        while True:
            started = self._clock.monotonic()
            outcome = await self.renew()
            on_outcome(outcome, self.seconds_since_renewal)
            if outcome is Outcome.LOST:
                return
            await self._clock.sleep(max(0.0, pace - (self._clock.monotonic() - started)))

    async def raise_epoch(self, epoch: int) -> None:
        """Adopt the epoch that the object store has anchored; this renewal or the next one writes it."""
        if epoch > self.epoch:
            self.epoch = epoch
            await self.renew()

    async def release(self) -> None:
        """Let a successor take over at once. The epoch stays in the record. Never raises."""
        if not self._held:
            return
        async with self._lock:
            self._held = False
            try:
                async with asyncio.timeout(RELEASE_SECONDS):
                    await self._write_released()
            except (ServiceError, BadMessage, TimeoutError) as error:
                log.warning("lease_not_released", session=self._key, error=type(error).__name__)

    async def _look(self, seen: _Observation | None) -> _Observation:
        """Look once, and take the lease when that is due."""
        record, revision = await self._read()
        now = self._clock.monotonic()
        if seen is None or seen.revision != revision:
            seen = _Observation(revision, now)
        if self._may_take(record, revision, now - seen.since):
            await self._take(record, revision)
        if revision:
            self._seen_before = True
        if record is not None:
            self._newest_epoch = max(self._newest_epoch, record.epoch)
        return seen

    async def _read(self) -> tuple[LeaseRecord | None, int]:
        """(None, 0): there is no record. (None, revision): nobody has signed what is there."""
        try:
            entry = await self._bucket.get(self._key)
        except UnverifiedValue as error:
            return None, error.revision
        return (entry.value, entry.revision) if entry else (None, 0)

    def _may_take(self, record: LeaseRecord | None, revision: int, unchanged_seconds: float) -> bool:
        if not revision and not self._seen_before:
            return True  # a record that vanished (NATS lost its data) has an owner that will write it again
        if record is not None and record.nonce == self.nonce:
            return True
        if record is not None and record.released and record.epoch >= self._newest_epoch:
            return True
        return unchanged_seconds >= self._ttl

    async def _take(self, record: LeaseRecord | None, revision: int) -> None:
        if record is None or record.nonce != self.nonce:
            before = max(record.epoch if record else 0, self.epoch, self._at_least_epoch, self._newest_epoch)
            self.epoch = before + 1
        await self._write(revision)
        self._held = True

    async def _renew(self) -> Outcome:
        try:
            await self._write(self._revision)
        except Conflict:
            return await self._compare()
        return Outcome.HELD

    async def _compare(self) -> Outcome:
        """The revision is not ours: an acknowledgement got lost, or NATS lost its data, or another owner wrote, or
        something that no owner wrote is there."""
        record, revision = await self._read()
        if record is not None and record.nonce != self.nonce:
            self._held = False
            return Outcome.LOST
        try:
            await self._write(revision)
        except Conflict:
            return Outcome.UNKNOWN
        return Outcome.HELD

    async def _write(self, revision: int) -> None:
        """Compare and set; revision 0: there must be no record. Raises Conflict."""
        sent = self._clock.monotonic()
        record = LeaseRecord(owner=self._owner, nonce=self.nonce, epoch=self.epoch)
        if revision:
            self._revision = await self._bucket.update(self._key, record, revision)
        else:
            self._revision = await self._bucket.create(self._key, record)
        self._renewed_at = sent

    async def _write_released(self) -> None:
        record = LeaseRecord(owner=self._owner, nonce=self.nonce, epoch=self.epoch, released=True)
        try:
            await self._bucket.update(self._key, record, self._revision)
        except Conflict:
            present, revision = await self._read()
            if revision and (present is None or present.nonce == self.nonce):
                await self._bucket.update(self._key, record, revision)
