"""Which data keys of a session may be used, and which may go.

A data key serves a session between two tombstones: backups made after a `clear` never share a key with those before.
A key's name tells when the key was made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from . import layout
from .entries import Entry, Listing


def usable_keys(names: Iterable[str], tombstoned_at: datetime | None) -> list[str]:
    """Names of the keys that are younger than the tombstone, newest first. Names have whole seconds, so a key of the
    tombstone's own second counts as older."""
    created = {name: _created(name) for name in names}
    return sorted(
        (name for name, at in created.items() if at and (tombstoned_at is None or at > tombstoned_at)), reverse=True
    )


def expired_keys(listing: Listing, removed: Collection[Entry], *, grace: timedelta, now: datetime) -> list[str]:
    """Names of the keys from before the tombstone, once its grace time is over. A key that a remaining backup needs
    stays; while a remaining backup cannot be read, all keys stay."""
    tombstoned_at = listing.tombstoned_at
    if tombstoned_at is None or now < tombstoned_at + grace:
        return []
    gone = {entry.ref.manifest.key for entry in removed}
    remaining = [entry.summary for entry in listing.entries if entry.ref.manifest.key not in gone]
    if any(summary is None for summary in remaining):
        return []
    needed = {summary.key for summary in remaining if summary}
    created = {name: _created(name) for name in listing.objects.keys if name not in needed}
    return [name for name, at in created.items() if at and at <= tombstoned_at]


def _created(name: str) -> datetime | None:
    """None for a name that this service did not write."""
    try:
        return layout.key_created(name)
    except layout.BadName:
        return None
