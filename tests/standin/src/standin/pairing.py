"""How a page becomes a linked device: QR refs that expire, codes for a phone number, the phone's scan.

The module knows which page shows what. It knows neither logins nor messages.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable

from shared.clock import Clock
from standin.page_socket import PageSocket
from standin.settings import PageSettings

CODE_LETTERS = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"


class NotDisplayedError(Exception):
    """The phone sees no such code: nothing is displayed, or it has expired."""


class Pairing:
    """The codes on display and the pages they belong to."""

    def __init__(self, clock: Clock, settings: Callable[[], PageSettings]) -> None:
        self._clock = clock
        self._settings = settings
        self._rotations: dict[PageSocket, asyncio.Task[None]] = {}
        self._codes: dict[str, tuple[PageSocket, float]] = {}
        self._order: list[PageSocket] = []

    def show(self, page: PageSocket) -> None:
        """Start to send refs to a page, from the first one."""
        self.forget(page)
        self._order.append(page)
        self._rotations[page] = asyncio.create_task(self._rotate(page))

    def forget(self, page: PageSocket) -> None:
        """The page is gone or linked."""
        if task := self._rotations.pop(page, None):
            task.cancel()
        page.ref = None
        self._order = [other for other in self._order if other is not page]
        self._codes = {code: entry for code, entry in self._codes.items() if entry[0] is not page}

    def new_code(self, page: PageSocket) -> str:
        """Eight characters for the phone, in place of the page's earlier ones."""
        self._codes = {code: entry for code, entry in self._codes.items() if entry[0] is not page}
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
        self._codes[code] = (page, self._clock.monotonic() + self._settings().code_seconds)
        page.code = code
        return code

    def scan(self, text: str | None = None, page_id: str | None = None) -> PageSocket:
        """The page whose QR code the phone reads; the newest one unless a text or a page is named.

        Raises `NotDisplayedError`.
        """
        shown = [page for page in self._order if page.ref and page.open]
        if page_id is not None:
            shown = [page for page in shown if page.id == page_id]
        if text is not None:
            shown = [page for page in shown if _same_code(page, text)]
            if not shown:
                raise NotDisplayedError("this QR code is not displayed by any page, or has expired")
        if not shown:
            raise NotDisplayedError("no QR code is displayed")
        return shown[-1]

    def enter(self, code: str) -> PageSocket:
        """The page that asked for this pairing code. Raises `NotDisplayedError`."""
        entry = self._codes.get(code.replace("-", "").strip().upper())
        if entry is None or not entry[0].open:
            raise NotDisplayedError("no page waits for this pairing code")
        if entry[1] < self._clock.monotonic():
            raise NotDisplayedError("this pairing code has expired")
        return entry[0]

    async def _rotate(self, page: PageSocket) -> None:
        settings = self._settings()
        for left in reversed(range(settings.refs)):
            page.ref, page.state = "2@" + base64.b64encode(secrets.token_bytes(48)).decode(), "qr"
            page.send("ref", ref=page.ref, ttl=settings.ref_seconds, left=left)
            await self._clock.sleep(settings.ref_seconds)
        page.ref, page.state = None, "idle"
        page.send("idle")


def _same_code(page: PageSocket, text: str) -> bool:
    shown = [page.ref, *(page.keys.get(name) for name in ("static", "identity", "secret"))]
    return text.split(",")[:4] == shown
