"""Tells the object store of a `clear`."""

from __future__ import annotations

from browser_worker.domain.session import Fact
from shared.contracts.errors import ServiceError
from shared.runtime import get_logger

from .context import Context

log = get_logger()


async def write_tombstone(context: Context) -> bool:
    """Write the tombstone that is owed. False while the object store cannot be told; until then nothing from before the
    `clear` is restored here, because the durable record names the cleared epoch."""
    session = context.session
    if not session.tombstone_owed:
        return True
    try:
        await context.deps.backups.tombstone(epoch=session.cleared_epoch)
    except ServiceError as error:
        log.warning("tombstone_owed", session=context.deps.session, code=error.code)
        return False
    context.note(Fact.TOMBSTONE_WRITTEN)
    return True
