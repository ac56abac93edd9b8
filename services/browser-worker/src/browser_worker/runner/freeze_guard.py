"""Who holds the browser still. It runs only while nobody does.

A snapshot and a lease in doubt both freeze the browser, at times of their own and from different threads. The trap:
without counting the holders, the end of a snapshot would wake a browser whose lease may have passed to another, and a
renewed lease would wake one in the middle of a copy.
"""

from __future__ import annotations

import threading
from enum import StrEnum

from browser_worker.ports import Browser


class Holder(StrEnum):
    SNAPSHOT = "snapshot"
    LEASE = "lease"


class FreezeGuard:
    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._holders: set[Holder] = set()
        self._lock = threading.Lock()

    def hold(self, holder: Holder) -> None:
        """Idempotent for each holder."""
        with self._lock:
            self._holders.add(holder)
            self._browser.freeze()

    def release(self, holder: Holder) -> None:
        """Idempotent; wakes the browser when this was the last holder. Never raises."""
        with self._lock:
            self._holders.discard(holder)
            if not self._holders:
                self._browser.thaw()

    def held_by(self, holder: Holder) -> bool:
        return holder in self._holders
