"""What the pieces of one session's runner share: the machine's state, the flags of the browser, the durable memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec

from browser_worker.domain.machine import Event, Session
from browser_worker.domain.watching import Watch
from shared.contracts.sessions import State

from .keeper import Keeper
from .options import Parts
from .reporter import Reporter
from .restoring import Restoring


class Context:
    """One owned session. `launched`: a browser of ours should be running; `proven`: it was connected since its launch;
    `quiet`: somebody is working on the page, so what the reader would see means nothing."""

    def __init__(self, parts: Parts, *, epoch: int) -> None:
        self.parts = parts
        self.remembered = parts.memory.load()
        self.epoch = epoch
        self.anchored_epoch: int | None = None
        self.session = Session(linked=self.remembered.linked)
        self.reporter = Reporter(parts, epoch)
        self.reporter.set(request=self.remembered.request)
        self.keeper = Keeper(parts, self.reporter, epoch=lambda: self.anchored_epoch)
        self.restoring = Restoring(parts, epoch=lambda: self.epoch)
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.wake = asyncio.Event()
        self.launched = False
        self.launched_at = 0.0
        self.proven = False
        self.connected_at: float | None = None
        self.attempts = 0
        self.watch = Watch()
        self.said: tuple[Event, Session] | None = None
        self.page_lock = asyncio.Lock()
        self._quiet = 0

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
        if changed != self.remembered:
            self.remembered = changed
            self.parts.memory.store(changed)

    def note_link_code(self, code: str) -> None:
        pairing = self.reporter.status.pairing
        now = self.parts.clock.now()
        self.reporter.set(pairing=msgspec.structs.replace(pairing, link_code=code, link_code_at=now))

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
            self.watch = Watch(since=self.parts.clock.monotonic())
            self.unhush()
