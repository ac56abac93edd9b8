"""Which backups went without retention: the difference of two looks at one session.

Retention lets more go with every backup that is added, and never less. So a backup that retention would keep among all
backups of both looks was not removed by retention, whichever replica ran it and whenever.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from .entries import Listing
from .retention import Candidate, RetentionPolicy, judge


def good_ones(listing: Listing) -> tuple[Candidate, ...]:
    """What the next look is compared with."""
    return tuple(Candidate.of(entry) for entry in listing.each_backup() if entry.good)


def lost(before: Iterable[Candidate], listing: Listing, policy: RetentionPolicy, now: datetime) -> list[str]:
    """The ids of the good backups of the look `before` that are gone or cannot be restored any more, although retention
    keeps them and no tombstone clears them."""
    present = {candidate.id: candidate for candidate in good_ones(listing)}
    cleared = listing.tombstone.epoch if listing.tombstone else 0
    missing = {each.id: each for each in before if each.id not in present and each.order[0] > cleared}
    verdicts = judge([*present.values(), *missing.values()], policy, now)
    return [verdict.id for verdict in verdicts if verdict.kept and verdict.id in missing]
