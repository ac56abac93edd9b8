"""Polling of the page: what the page shows, when to look again, and when a look means nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from browser_worker.domain.debounce import PageWatch, posted_once
from browser_worker.domain.events import Event
from browser_worker.domain.session import Session
from shared.clock import Clock

from .freeze_guard import FreezeGuard, Holder


class Polling:
    """Polling is suspended while somebody works on the page and while the lease is in doubt: a page that is being
    reloaded, or that stands still, says nothing about the session."""

    def __init__(self, clock: Clock, freeze_guard: FreezeGuard) -> None:
        self.watch = PageWatch()
        self.wake = asyncio.Event()
        """Set when there is a reason to look at the page before the next poll is due."""
        self._clock = clock
        self._freeze_guard = freeze_guard
        self._working = 0

    @property
    def suspended(self) -> bool:
        return self._working > 0 or Holder.LEASE in self._freeze_guard.holders

    @contextmanager
    def suspended_polling(self) -> Iterator[None]:
        """While work is done on the page. Nests. The watch begins anew afterwards."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            self.watch = PageWatch(since=self._clock.monotonic())
            self.wake.set()

    def look_again(self) -> None:
        """The page may repeat itself: something was done that may have changed what it means."""
        self.forget_posted()
        self.wake.set()

    def forget_posted(self) -> None:
        """The next look posts its event even if the page shows the same as before."""
        self.watch = replace(self.watch, posted=None)

    def is_news(self, event: Event, session: Session) -> bool:
        """Whether the event is to be posted now."""
        watch = posted_once(self.watch, session, event)
        if watch is None:
            return False
        self.watch = watch
        return True
