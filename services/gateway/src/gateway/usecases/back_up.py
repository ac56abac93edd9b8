"""Back up now. A backup may take longer than an answer may; it then goes on, and the status shows when it is done."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.observed import ObservedSession
from gateway.ports import Messenger, View
from shared.clock import Deadline
from shared.contracts.budgets import COMMAND_WAIT
from shared.contracts.commands import BACK_UP_NOW, BackedUp, BackUpNow
from shared.contracts.errors import TimedOut


@dataclass(frozen=True)
class BackupDone:
    """`outcome`, as the worker says it: stored, or unchanged when the newest backup already holds the same content."""

    observed: ObservedSession
    outcome: str
    backup_id: str


@dataclass(frozen=True)
class BackupUnderWay:
    observed: ObservedSession


@dataclass(frozen=True)
class BackUp:
    view: View
    messenger: Messenger

    def __call__(self, session: str, deadline: Deadline) -> BackupDone | BackupUnderWay:
        """Raises NotConnected, WorkerGone, Conflict."""
        before = self.view.session(session).require_connected()
        timeout = deadline.left(COMMAND_WAIT)
        try:
            done = self.messenger.ask_owner(BACK_UP_NOW, session, BackUpNow(), BackedUp, timeout=timeout)
        except TimedOut:
            return BackupUnderWay(before)
        return BackupDone(self.view.session(session), done.outcome, done.backup_id)
