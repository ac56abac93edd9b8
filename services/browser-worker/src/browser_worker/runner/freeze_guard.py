"""Who holds the browser frozen. The browser runs only while nobody does.

Two need the browser to stand still, each in its own time and from its own thread. A snapshot freezes the browser for
some milliseconds, so that the files on disk belong to one moment. A doubt of the lease freezes it until the doubt ends:
when the worker cannot reach NATS, another worker may take the session over one TTL after the newest renewal. Two
browsers with one login at the same time can cost the login. A frozen browser can neither send nor write, and it comes
back at once when the lease turns out to be ours still; a browser that was killed would have to start again.

The trap: with a single flag the end of a snapshot would wake a browser whose lease may have passed on, and a renewed
lease would wake a browser in the middle of a copy. So the holders are counted by name.
"""

from __future__ import annotations

import threading
from enum import StrEnum

from browser_worker.ports import Browser


class Holder(StrEnum):
    """Who needs the browser frozen."""

    SNAPSHOT = "snapshot"
    LEASE = "lease"


class FreezeGuard:
    """Safe to call from any thread: a snapshot is taken in a thread of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.holders: frozenset[Holder] = frozenset()
        self._lock = threading.Lock()

    def hold(self, holder: Holder) -> None:
        """Idempotent for each holder."""
        with self._lock:
            self.holders |= {holder}
            self._browser.freeze()

    def release(self, holder: Holder) -> None:
        """Idempotent; wakes the browser when this was the last holder. Never raises."""
        with self._lock:
            self.holders -= {holder}
            if not self.holders:
                self._browser.thaw()
