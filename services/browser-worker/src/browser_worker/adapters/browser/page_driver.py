"""One page of WhatsApp Web, spoken to through Playwright: every call ends, and every failure has one of two names.

Knows the page, nothing of processes or profiles. The trap: the page may navigate in the middle of any call, which is
neither gone nor hung; such a call answers "busy", and a reading then is UNKNOWN.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from playwright.async_api import Error, Page

from browser_worker.adapters.browser.page_scripts import SEQUENCE_KEY, call
from browser_worker.domain import sending
from browser_worker.domain.page_state import interpret
from browser_worker.domain.reading import LocalStorageExport, RawReading, Reading, SelfCheck, SendOutcome
from browser_worker.domain.self_check import LOOKUPS, grade
from browser_worker.ports import BrowserGone, BrowserHangs
from shared.contracts.errors import Refused

T = TypeVar("T")

GRACE_SECONDS = 2.0
"""How much longer than the page's own deadline a call may take before the page counts as hung."""
READY_SECONDS = 10.0
"""How long a send waits for the page's functions, which come up to two seconds after the page is connected."""
LOOKUP_SECONDS = 5.0

_GONE_SIGNS = ("has been closed", "target closed", "crash", "connection closed", "browser closed", "disconnected")


class PageBusy(BrowserHangs):
    """The page cannot answer now: it is navigating, or it is not WhatsApp Web."""


class PageDriver:
    """`timeout`: seconds that any call may take."""

    def __init__(self, page: Page, *, timeout: float) -> None:
        self.page = page
        self._timeout = timeout

    async def read(self, floor: int) -> Reading:
        """`floor`: the highest sequence of carried storage known; the page's own is kept from falling below it."""
        try:
            tiers = await self._call("read_state", key=SEQUENCE_KEY, floor=floor)
            return interpret([RawReading(**tier) for tier in tiers])
        except (PageBusy, TypeError):
            return interpret([])

    async def self_check(self) -> SelfCheck:
        answer = await self._call("self_check", lookups=list(LOOKUPS))
        return grade(answer["found"], page_version=answer["page_version"], wa_js_version=answer["wa_js_version"])

    async def open(self, url: str, *, timeout: float) -> None:
        """Navigate and return as soon as the answer begins. Raises PageBusy when there is no answer."""
        await ended(self.page.goto(url, wait_until="commit", timeout=timeout * 1000), timeout + GRACE_SECONDS)

    async def act(self, name: str) -> bool:
        """refresh_qr, take_over or dismiss; whether the page could."""
        return bool(await self._call("acts", act=name))

    async def pairing_code(self, number: str) -> str:
        """Raises Refused when WhatsApp gives none."""
        answer = await self._call("pairing", number=number, ms=self._timeout * 1000)
        if code := str(answer.get("code", "")):
            return code
        if answer.get("error") == "not ready":
            raise PageBusy("the page's linking functions are not ready")
        raise Refused(
            "WhatsApp Web gave no pairing code", hint="check the number, and wait a while: codes are limited a day"
        )

    async def new_message_id(self, number: str) -> str:
        """A message key, "" when the page cannot make one now."""
        return str(await self._call("message_id", number=number, ms=LOOKUP_SECONDS * 1000) or "")

    async def send(self, number: str, text: str, message_id: str, *, timeout: float) -> SendOutcome:
        """Raises only before anything can have been sent."""
        options = {
            "number": number,
            "body": text,
            "message_id": message_id,
            "ready_ms": min(timeout, READY_SECONDS) * 1000,
            "total_ms": timeout * 1000,
        }
        try:
            answer = await ended(self.page.evaluate(call("send"), options), timeout + GRACE_SECONDS)
        except (BrowserGone, BrowserHangs) as error:
            return sending.unknown(f"the page did not answer ({type(error).__name__})")
        return _send_outcome(answer)

    async def find_message(self, message_id: str) -> SendOutcome | None:
        found = await self._call("find_message", message_id=message_id, ms=LOOKUP_SECONDS * 1000)
        if found == "not ready":
            raise PageBusy(sending.NOT_READY)
        return None if found is None else sending.outcome_of_message(int(found["ack"]))

    async def unlink(self, *, timeout: float) -> bool:
        """True when the page said so itself; it may navigate away first, which is False here."""
        try:
            return bool(await self._call("unlink", ms=timeout * 1000))
        except PageBusy:
            return False

    async def export_local_storage(self, floor: int) -> LocalStorageExport:
        answer = await self._call("capture", key=SEQUENCE_KEY, floor=floor)
        return LocalStorageExport(
            origin=answer["origin"], sequence=int(answer["sequence"]), entries=dict(answer["entries"])
        )

    async def screenshot(self) -> bytes:
        picture = self.page.screenshot(type="png", timeout=self._timeout * 1000)
        return await ended(picture, self._timeout + GRACE_SECONDS)

    async def _call(self, script: str, **options: Any) -> Any:
        return await ended(self.page.evaluate(call(script), options), self._timeout)


async def ended(work: Awaitable[T], timeout: float) -> T:
    """The result within `timeout` seconds. Raises BrowserHangs, BrowserGone, PageBusy."""
    try:
        return await asyncio.wait_for(work, timeout)
    except TimeoutError as error:
        raise BrowserHangs(f"no answer within {timeout:.0f} s") from error
    except Error as error:
        raise _named(error) from error
    except Exception as error:
        # A driver that died is told by a bare Exception.
        if "connection closed" in str(error).lower():
            raise BrowserGone("the browser's driver is gone") from error
        raise


def _named(error: Error) -> BrowserGone | BrowserHangs:
    """The text of a Playwright error may hold anything of the page, so only its kind goes on."""
    words = error.message.lower()
    if any(sign in words for sign in _GONE_SIGNS):
        return BrowserGone("the browser or its page is gone")
    return PageBusy("the page cannot answer now")


def _send_outcome(answer: dict[str, Any]) -> SendOutcome:
    step = answer.get("step")
    if step == "sent":
        return sending.outcome_of_send(int(answer.get("ack", 0)), str(answer.get("result", "")))
    if step == "doubt":
        return sending.outcome_of_send(int(answer.get("ack", 0)), "")
    return sending.failed(sending.STOPPED_AT.get(str(step), "") or f"the page refused ({answer.get('error')})")
