"""List the backups of a session. The backup service is asked, not the worker: the list is there without any worker."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.ports import Messenger
from shared.clock import Deadline
from shared.contracts import subjects
from shared.contracts.backups import LIST_BACKUPS, Backups, ListBackups
from shared.contracts.budgets import COMMAND_WAIT
from shared.contracts.errors import NotRunning


@dataclass(frozen=True)
class ListSessionBackups:
    messenger: Messenger

    def __call__(self, session: str, deadline: Deadline) -> Backups:
        """Raises NotRunning with the code `backup_service_gone`, Unavailable, TimedOut."""
        subject = subjects.command(LIST_BACKUPS, session)
        timeout = deadline.left(COMMAND_WAIT)
        try:
            return self.messenger.request(subject, ListBackups(for_a_person=True), Backups, timeout=timeout)
        except NotRunning:
            raise NotRunning("the backup service does not run", code="backup_service_gone") from None
