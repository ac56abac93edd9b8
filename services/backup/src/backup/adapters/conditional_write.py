"""Writes an object only where the place is still as it was read, so that nobody else's write is lost."""

from __future__ import annotations

from backup.ports import Blob, ObjectStore, Taken


async def write_over(store: ObjectStore, key: str, seen: Blob | None, data: bytes) -> bool:
    """`seen`: what was read at `key`, None when nothing lay there. False when somebody else has written since."""
    try:
        await (store.replace(key, data, seen.etag) if seen else store.create(key, data))
    except Taken:
        return False
    return True
