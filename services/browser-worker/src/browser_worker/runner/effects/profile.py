"""Finds the session's profile, and puts a copy in its place."""

from __future__ import annotations

from browser_worker.domain.events import Event
from browser_worker.domain.session import RestoreCause
from browser_worker.runner.context import Context
from browser_worker.runner.tombstone import write_tombstone
from shared.contracts.sessions import ProfileStatus
from shared.runtime import get_logger

log = get_logger()


class ProfileEffects:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._deps = context.deps

    async def find(self) -> None:
        """Posts what the profile is worth. Raises OSError."""
        imported = await self._deps.profile_store.import_old_profile()
        profile = await self._deps.profile_store.inspect()
        self._context.reporter.set(profile=profile)
        log.info("profile", session=self._deps.session, exists=profile.exists, valid=profile.valid, imported=imported)
        if profile.exists and await self._context.restorer.is_behind():
            self._context.post(Event.PROFILE_STALE)
        else:
            self._context.post(event_of_profile(profile))

    async def restore(self) -> None:
        """Posts what came of the restore. A profile that may not be used is set aside, never deleted. Raises
        OSError."""
        context, restorer = self._context, self._context.restorer
        await write_tombstone(context)
        cause = context.session.restore_cause
        event = await restorer.restore(login_lost=cause is RestoreCause.LOGIN_LOST)
        profile = await self._deps.profile_store.inspect()
        none_found = event in (Event.NOTHING_TO_RESTORE, Event.STORE_UNKNOWN, Event.TOMBSTONE_UNVERIFIED)
        if none_found and cause is RestoreCause.REQUESTED and profile.valid:
            restorer.requested_backup = None
            event = Event.KEEP_PROFILE
        elif event is Event.NOTHING_TO_RESTORE and profile.exists and (not profile.valid or restorer.cleared_elsewhere):
            await self._deps.profile_store.set_aside()
        context.reporter.set(profile=profile)
        context.post(event)


def event_of_profile(profile: ProfileStatus) -> Event:
    if not profile.exists:
        return Event.PROFILE_NONE
    return Event.PROFILE_GOOD if profile.valid else Event.PROFILE_BAD
