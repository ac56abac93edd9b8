"""Compares each look at a session with the look before it, and tells what went without retention.

The service lists a session whenever its owner asks or stores, and before retention; no look is made for this alone.
The trap: two looks can overlap, and the older answer then lacks what the newer one showed. So a look is compared only
when it began after the one before it had ended.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from cachetools import LRUCache

from backup.domain.entries import Listing
from backup.domain.losses import good_ones, lost
from backup.domain.retention import Candidate, RetentionPolicy
from backup.ports import Reports
from shared.clock import Clock

log = structlog.get_logger()
_SESSIONS = 2000


@dataclass(frozen=True)
class _Look:
    ended_at: float
    good: tuple[Candidate, ...]


class Lookout:
    """Each replica compares with its own looks; what happened while it did not run it cannot tell."""

    def __init__(self, reports: Reports, clock: Clock, policy: RetentionPolicy) -> None:
        self._reports = reports
        self._clock = clock
        self._policy = policy
        self._looks: LRUCache[str, _Look] = LRUCache(_SESSIONS)

    async def seen(self, listing: Listing, *, began_at: float, ended_at: float) -> None:
        """`began_at` and `ended_at`: the listing's request to the store, in monotonic seconds."""
        before = self._looks.get(listing.session)
        if before is not None and began_at < before.ended_at:
            return
        good = good_ones(listing)
        self._looks[listing.session] = _Look(ended_at, good)
        gone = lost(before.good, listing, self._policy, self._clock.now()) if before else []
        if gone:
            log.error("backups_lost", session=listing.session, backups=gone, left=len(good))
            await self._reports.lost(listing.session, len(gone), len(good))
