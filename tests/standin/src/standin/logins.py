"""Who is logged in with which device, and the proof that nobody was twice.

A second login with one identity raises CONFLICT in the first page. Both counts are kept: `simultaneous` counts open
sockets, `active` leaves out those of a stopped browser, which can neither read nor write.
Trap: a reload opens the new socket when the old one may not yet be seen as closed, so each is probed before it counts.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from standin.page_socket import PageSocket
from standin.store import Store

PATIENCE = 1.0
"""Seconds that an earlier page may take to answer a probe before it counts as frozen."""


class Logins:
    """The pages logged in now, by device."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pages: dict[int, list[PageSocket]] = defaultdict(list)
        self._turns: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def now(self, device: int) -> list[PageSocket]:
        return [page for page in self._pages[device] if page.open]

    async def enter(self, device: int, page: PageSocket) -> None:
        """Count this login, and put out whoever was there."""
        async with self._turns[device]:
            others = [other for other in self.now(device) if other is not page]
            found = await asyncio.gather(*(other.probe(PATIENCE) for other in others))
            self._store.count_login(
                device,
                simultaneous=1 + sum(state != "closed" for state in found),
                active=1 + found.count("alive"),
            )
            for other in others:
                self.put_out(other)
            self._pages[device] = [page]
            page.device, page.state = device, "main"

    def put_out(self, page: PageSocket) -> None:
        """Tell a page that its identity is used elsewhere."""
        self.leave(page)
        page.state = "conflict"
        page.send("stream_error", code="conflict")
        page.hang_up()

    def leave(self, page: PageSocket) -> None:
        if page.device is not None:
            self._pages[page.device] = [other for other in self._pages[page.device] if other is not page]
