"""Which page is logged in with which device, and the proof that no device was ever logged in twice.

A second login with one identity raises CONFLICT in the first page. There are two counts: `simultaneous` counts open
sockets; `active` leaves out the sockets of a stopped browser, which can neither read nor write.

The trap: a reload opens the new socket before the server sees the old one as closed. Each earlier page is therefore
probed before its socket counts.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from standin.page_socket import PageSocket
from standin.state_file import StateFile

PROBE_SECONDS = 1.0
"""An earlier page that has not answered a probe within this time counts as frozen."""


class Logins:
    """The pages logged in now, by device."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        self._pages: dict[int, list[PageSocket]] = defaultdict(list)
        self._turns: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def now(self, device: int) -> list[PageSocket]:
        return [page for page in self._pages[device] if page.open]

    async def enter(self, device: int, page: PageSocket) -> None:
        """Count this login, and evict the pages that were logged in before."""
        async with self._turns[device]:
            others = [other for other in self.now(device) if other is not page]
            found = await asyncio.gather(*(other.probe(PROBE_SECONDS) for other in others))
            self._state.count_login(
                device,
                simultaneous=1 + sum(state != "closed" for state in found),
                active=1 + found.count("alive"),
            )
            for other in others:
                self.evict(other)
            self._pages[device] = [page]
            page.device, page.state = device, "main"

    def evict(self, page: PageSocket) -> None:
        """Tell a page that its identity is used elsewhere, and close its socket."""
        self.leave(page)
        page.state = "conflict"
        page.send("stream_error", code="conflict")
        page.hang_up()

    def leave(self, page: PageSocket) -> None:
        if page.device is not None:
            self._pages[page.device] = [other for other in self._pages[page.device] if other is not page]
