"""Restore a backup in place of the profile. The worker accepts the command; the status shows how it goes."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.observed import ObservedSession
from gateway.ports import Messenger, View
from shared.clock import Deadline
from shared.contracts.budgets import COMMAND_WAIT
from shared.contracts.commands import RESTORE_NOW, Accepted, RestoreNow


@dataclass(frozen=True)
class RestoreBegun:
    """`detail`: a sentence of the worker, or ""."""

    observed: ObservedSession
    detail: str


@dataclass(frozen=True)
class Restore:
    view: View
    messenger: Messenger

    def __call__(self, session: str, backup_id: str, deadline: Deadline) -> RestoreBegun:
        """An empty `backup_id` means the newest good backup. Raises NotConnected, WorkerGone, NotFound, TimedOut."""
        self.view.session(session).require_owner()
        message = RestoreNow(backup_id=backup_id)
        timeout = deadline.left(COMMAND_WAIT)
        accepted = self.messenger.ask_owner(RESTORE_NOW, session, message, Accepted, timeout=timeout)
        return RestoreBegun(self.view.session(session), accepted.detail)
