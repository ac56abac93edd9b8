"""The epoch: which owner may write backups of a session, decided by one number in the object store.

A lease on NATS names one owner at a time, but a paused owner can wake up late and still believe that it holds the
lease. The object store is the last gate, so it keeps a fencing number of its own in `head.json`. An owner claims its
session once: the claim raises the head's epoch, above the tombstone's and never below the lease's. `admit` then accepts
a backup only with the epoch that the head holds now, so a claim by a new owner fences the old one out.

Four rules make this safe. The head changes only by conditional write (create if absent, replace if the ETag is
unchanged), so of two claims that race one wins, and the other reads again. A claim carries a random nonce: a claim
whose answer was lost finds its own nonce in the head and gets the same epoch. The epoch never falls: every claim is
above each backup that opens, and a head that is lost, does not verify or is older than a claimed epoch is rebuilt at
least as high. And nobody else raises it: a head counts only when its MAC verifies, a backup only when its manifest
opens, whatever their names and bytes say.

The tombstone fences too: an epoch up to the tombstone's belongs to a session that was cleared and writes nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

from .control_records import Head


@dataclass(frozen=True)
class Claim:
    """`epoch` is the answer; `write` is true when the head must be changed to it first."""

    epoch: int
    write: bool


def decide_claim(head: Head | None, *, highest_stored: int, tombstone_epoch: int, nonce: str, at_least: int) -> Claim:
    """`head` is None when it is absent or rejected; `highest_stored` is the highest epoch that is known otherwise: of a
    backup that opens, or of a head seen before; `tombstone_epoch` is 0 without a tombstone; `at_least` is the lease's
    epoch. The same nonce gets its epoch again, unless a tombstone or another owner has passed it."""
    known = max(highest_stored, head.epoch if head is not None else 0)
    floor = max(tombstone_epoch + 1, at_least)
    if head is not None and head.nonce == nonce and head.epoch == known:
        return Claim(max(head.epoch, floor), write=head.epoch < floor)
    return Claim(max(known + 1, floor), write=True)


def rebuilt_epoch(*, highest_stored: int, asked: int) -> int:
    """The epoch of a head that a backup finds lost or rejected. `asked` was claimed once, so it is not below any owner
    that wrote a backup; an owner that has claimed but not written yet claims again."""
    return max(highest_stored, asked)
