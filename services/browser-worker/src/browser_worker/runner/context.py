"""What the parts of one session's runner share: the machine's state, the flags of the browser, the durable memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec

from browser_worker.domain.debounce import PageWatch
from browser_worker.domain.machine import Event, Session
from shared.contracts.errors import ServiceError
from shared.contracts.sessions import State
from shared.runtime import get_logger

from .backup_scheduler import BackupScheduler
from .dependencies import Dependencies
from .freeze_guard import FreezeGuard
from .reporter import Reporter
from .restorer import Restorer

log = get_logger()


class Context:
    """One owned session. `launched`: a browser of ours should be running; `proven`: it was connected since its launch;
    `launches_since_connected`: launches since one was connected; `quiet`: somebody is working on the page, so what the
    reader would see means nothing."""

    def __init__(self, deps: Dependencies, *, epoch: int, owns: Callable[[], bool]) -> None:
        self.deps = deps
        self.remembered = deps.durable_record.load()
        self.previous_epoch = self.remembered.epoch
        """Of this worker's last ownership; any epoch between that and ours was another worker's."""
        self.epoch = epoch
        self.anchored_epoch: int | None = None
        self.anchored = asyncio.Event()
        self.session = Session(linked=self.remembered.linked, fresh=self.remembered.revoked and not self.was_elsewhere)
        self.reporter = Reporter(deps, epoch, owns)
        self.reporter.set(request=self.remembered.request)
        self.freeze_guard = FreezeGuard(deps.browser)
        self.backup_scheduler = BackupScheduler(
            deps, self.reporter, self.freeze_guard, epoch=lambda: self.anchored_epoch
        )
        self.restorer = Restorer(
            deps, epoch=lambda: self.epoch, known_epoch=self.previous_epoch if self.was_elsewhere else None
        )
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.wake = asyncio.Event()
        self.launched = False
        self.launched_at = 0.0
        self.proven = False
        self.reloaded = False
        self.launches_since_connected = 0
        self.connected_at: float | None = None
        self.attempts = 0
        self.pauses = 0
        self.watch = PageWatch()
        self.said: tuple[Event, Session] | None = None
        self.page_lock = asyncio.Lock()
        self._quiet = 0

    @property
    def was_elsewhere(self) -> bool:
        """Whether another worker owned the session since this one did."""
        return self.epoch > self.previous_epoch + 1

    @property
    def state(self) -> State:
        return self.session.state

    @property
    def quiet(self) -> bool:
        return self._quiet > 0

    def post(self, event: Event) -> None:
        self.events.put_nowait(event)

    def remember(self, **changes: int | bool) -> None:
        """Durably; an unchanged record is not written again."""
        changed = replace(self.remembered, **changes)  # type: ignore[arg-type]
        if changed == self.remembered:
            return
        self.remembered = changed
        try:
            self.deps.durable_record.write(changed)
        except OSError as error:
            log.warning("not_remembered", session=self.deps.session, error=type(error).__name__)

    async def pay_tombstone(self) -> bool:
        """Tell the store of a `clear` that it has not heard of; nothing from before it is restored meanwhile. False
        while it is still owed."""
        if not self.remembered.tombstone_owed:
            return True
        try:
            await self.deps.backups.tombstone(epoch=self.remembered.cleared_epoch)
        except ServiceError as error:
            log.warning("tombstone_owed", session=self.deps.session, code=error.code)
            return False
        self.remember(tombstone_owed=False)
        return True

    def note_pairing_code(self, code: str) -> None:
        pairing = self.reporter.status.pairing
        now = self.deps.clock.now()
        self.reporter.set(pairing=msgspec.structs.replace(pairing, pairing_code=code, pairing_code_at=now))

    def hush(self) -> None:
        self._quiet += 1

    def unhush(self) -> None:
        self._quiet -= 1
        self.said = None
        self.wake.set()

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """While the page is being worked on, what it shows is no news."""
        self.hush()
        try:
            yield
        finally:
            self.watch = PageWatch(since=self.deps.clock.monotonic())
            self.unhush()
