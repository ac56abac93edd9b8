"""What the parts of one session's runner share: the session, its record on disk, and the collaborators.

The context decides nothing. `domain.session.Session` holds all that decides, `domain.machine.advance` moves it, and
`update` is the only place that replaces it and writes its record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from browser_worker.domain.events import Event
from browser_worker.domain.session import Fact, Session, note, record_of, session_of
from shared.contracts.sessions import State
from shared.runtime import get_logger

from .backup_scheduler import BackupScheduler
from .dependencies import Dependencies
from .freeze_guard import FreezeGuard
from .polling import Polling
from .reporter import Reporter
from .restorer import Restorer

log = get_logger()


class Context:
    def __init__(self, deps: Dependencies, *, epoch: int, owns: Callable[[], bool]) -> None:
        self.deps = deps
        self._record = deps.durable_record.load()
        self.session = session_of(self._record, epoch)
        self.reporter = Reporter(deps, epoch, owns)
        self.reporter.set(request=self.session.request)
        self.freeze_guard = FreezeGuard(deps.browser)
        self.polling = Polling(deps.clock, self.freeze_guard)
        self.fenced = asyncio.Event()
        """The object store has refused a backup of this owner, because it knows another one."""
        self.backup_scheduler = BackupScheduler(
            deps,
            self.reporter,
            self.freeze_guard,
            epoch=lambda: self.session.anchored_epoch,
            fenced=self.fenced.set,
        )
        self.restorer = Restorer(deps, session=lambda: self.session)
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.page_lock = asyncio.Lock()
        """Held by whoever makes the page do something that takes a while."""

    @property
    def state(self) -> State:
        return self.session.state

    def post(self, event: Event) -> None:
        self.events.put_nowait(event)

    def note(self, fact: Fact) -> None:
        self.update(note(self.session, fact))

    def update(self, session: Session) -> None:
        """Replace the session. Its record is written durably when it has changed; an error of the disk is logged."""
        self.session = session
        record = record_of(session)
        if record == self._record:
            return
        self._record = record
        try:
            self.deps.durable_record.write(record)
        except OSError as error:
            log.warning("durable_record_not_written", session=self.deps.session, error=type(error).__name__)
