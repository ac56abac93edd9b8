"""One page of WhatsApp Web, asked through Playwright: every call ends in time, with an answer or a named failure.

Knows the page, and neither processes nor profiles. BrowserGone: the page is not there any more. BrowserHangs: the page
is there and does not answer. PageBusy, a kind of BrowserHangs: the page cannot answer this call, because it navigates
in the middle of the call; a reading is UNKNOWN then. PageElsewhere, another kind: the page shows something other than
the site.

Where the page is, is looked at twice: by the script, in the same breath as it reads, and by the driver afterwards, from
what the browser says of the page. A page could tamper with the first answer, and the second alone would be too late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Literal, TypeVar

from playwright.async_api import Error, Page

from browser_worker.adapters.browser.page_scripts import SEQUENCE_KEY, call
from browser_worker.domain import sending
from browser_worker.domain.egress import Site
from browser_worker.domain.page_state import interpret
from browser_worker.domain.reading import LocalStorageExport, PageState, RawReading, Reading, SelfCheck, SendOutcome
from browser_worker.domain.self_check import LOOKUPS, grade
from browser_worker.ports import BrowserGone, BrowserHangs, PageElsewhere
from shared.contracts.commands import SendFailure
from shared.contracts.errors import Refused

T = TypeVar("T")
Action = Literal["refresh_qr", "take_over", "dismiss"]

GRACE_SECONDS = 2.0
"""How much longer than the deadline inside the page a call may take before the page counts as hung."""
READY_SECONDS = 10.0
"""How long a send waits for the functions of the page, which appear up to two seconds after it is connected."""
LOOKUP_SECONDS = 5.0

_GONE_SIGNS = ("has been closed", "target closed", "crash", "connection closed", "browser closed", "disconnected")


_EMPTY = ("about:", "chrome-error:")
"""What a page without a site shows: nothing, or the browser's own error page."""


class PageBusy(BrowserHangs):
    """The page cannot answer now: it navigates."""


class PageBlank(PageElsewhere):
    """The page shows no site at all."""


class PageDriver:
    """`timeout` is how many seconds a call may take."""

    def __init__(self, page: Page, site: Site, *, timeout: float) -> None:
        self.page = page
        self._site = site.origin
        self._home = f"{site.origin}/"
        self._timeout = timeout

    async def read(self, floor: int) -> Reading:
        """`floor` is the highest known sequence number of an export; the number of the page is raised to it."""
        try:
            tiers = await self._call("read_state", key=SEQUENCE_KEY, floor=floor)
            return interpret([RawReading(**tier) for tier in tiers])
        except PageBlank:
            return Reading(PageState.BLANK)
        except PageElsewhere:
            return Reading(PageState.ELSEWHERE)
        except (PageBusy, TypeError):
            return interpret([])

    async def self_check(self) -> SelfCheck:
        answer = await self._call("self_check", lookups=list(LOOKUPS))
        return grade(answer["found"], page_version=answer["page_version"], wa_js_version=answer["wa_js_version"])

    async def open(self, url: str, *, timeout: float) -> None:
        """Navigate, and return as soon as the answer begins. Raises PageBusy when the site does not answer."""
        await answered(self.page.goto(url, wait_until="commit", timeout=timeout * 1000), timeout + GRACE_SECONDS)

    async def act(self, action: Action) -> bool:
        """Whether the page did it."""
        return bool(await self._call("actions", action=action))

    async def pairing_code(self, number: str) -> str:
        """Raises Refused when WhatsApp gives none."""
        answer = await self._call("pairing_code", number=number, ms=self._timeout * 1000)
        if code := str(answer.get("code", "")):
            return code
        if answer.get("error") == "not ready":
            raise PageBusy("the linking functions of the page are not ready")
        raise Refused(
            "WhatsApp Web gave no pairing code", hint="check the number, and wait: WhatsApp limits the codes of a day"
        )

    async def new_message_id(self, number: str) -> str:
        """A message key; "" when the page cannot make one now."""
        return str(await self._call("new_message_id", number=number, ms=LOOKUP_SECONDS * 1000) or "")

    async def send(self, number: str, text: str, message_id: str, *, timeout: float) -> SendOutcome:
        """The outcome of the send. Never raises: a page that does not answer may have sent the message."""
        options = {
            "site": self._site,
            "number": number,
            "body": text,
            "message_id": message_id,
            "ready_ms": min(timeout, READY_SECONDS) * 1000,
            "total_ms": timeout * 1000,
        }
        try:
            answer = await answered(self.page.evaluate(call("send"), options), timeout + GRACE_SECONDS)
            if _did_not_run(answer):
                return sending.stopped_at(SendFailure.PAGE_ELSEWHERE)
            answer = self._checked(answer)
        except (BrowserGone, BrowserHangs) as error:
            return sending.unknown(f"the page did not answer ({type(error).__name__})")
        return _send_outcome(answer)

    async def find_message(self, message_id: str) -> SendOutcome | None:
        found = await self._call("find_message", message_id=message_id, ms=LOOKUP_SECONDS * 1000)
        if found == "not ready":
            raise PageBusy(sending.NOT_READY)
        return None if found is None else sending.outcome_of_message(int(found["ack"]))

    async def unlink(self, *, timeout: float) -> bool:
        """True when the page confirms it. The page may navigate before it answers; that is False."""
        try:
            return bool(await self._call("unlink", ms=timeout * 1000))
        except PageBusy:
            return False

    async def export_local_storage(self, floor: int) -> LocalStorageExport:
        answer = await self._call("export_local_storage", key=SEQUENCE_KEY, floor=floor)
        return LocalStorageExport(
            origin=answer["origin"], sequence=int(answer["sequence"]), entries=dict(answer["entries"])
        )

    async def screenshot(self) -> bytes:
        picture = self.page.screenshot(type="png", timeout=self._timeout * 1000)
        return await answered(picture, self._timeout + GRACE_SECONDS)

    async def _call(self, script: str, **options: Any) -> Any:
        options["site"] = self._site
        return self._checked(await answered(self.page.evaluate(call(script), options), self._timeout))

    def _checked(self, answer: Any) -> Any:
        """The script's own answer. Raises PageElsewhere when the script did not run or the page has left since, and
        PageBusy when no script of ours answers so."""
        url = self.page.url
        if not _did_not_run(answer) and url.startswith(self._home):
            if not isinstance(answer, dict) or answer.get("site") != self._site:
                raise PageBusy("the page gave an answer that is not known")
            return answer.get("answer")
        shown = str(answer["elsewhere"]) if url.startswith(self._home) else url
        if not shown or shown.startswith(_EMPTY):
            raise PageBlank("the page is empty")
        raise PageElsewhere("the page shows another site")


def _did_not_run(answer: Any) -> bool:
    """Whether a script found itself elsewhere than on the site."""
    return isinstance(answer, dict) and "elsewhere" in answer


async def answered(work: Awaitable[T], timeout: float) -> T:
    """The result of `work` within `timeout` seconds. Raises BrowserHangs, BrowserGone, PageBusy."""
    try:
        return await asyncio.wait_for(work, timeout)
    except TimeoutError as error:
        raise BrowserHangs(f"no answer within {timeout:.0f} s") from error
    except Error as error:
        raise _translated(error) from error
    except Exception as error:
        # Playwright reports a dead driver as a bare Exception.
        if "connection closed" in str(error).lower():
            raise BrowserGone("the browser's driver is gone") from error
        raise


def _translated(error: Error) -> BrowserGone | BrowserHangs:
    """Only the kind of the error is passed on, because the text of a Playwright error may hold contents of the page."""
    words = error.message.lower()
    if any(sign in words for sign in _GONE_SIGNS):
        return BrowserGone("the browser or its page is gone")
    return PageBusy("the page cannot answer now")


def _send_outcome(answer: dict[str, Any]) -> SendOutcome:
    """`step` is where page/send.js ended. Only a step that is known to come before the send means "failed"."""
    ack, step = int(answer.get("ack", 0)), str(answer.get("step"))
    if step in sending.STEPS:
        return sending.stopped_at(sending.STEPS[step])
    match step:
        case "sent":
            return sending.outcome_of_send(ack, str(answer.get("result", "")))
        case "doubt":
            return sending.outcome_of_send(ack, "")
        case "failed":
            error = f"the page refused ({answer.get('error')})"
            return sending.failed(error, failure=SendFailure.PAGE_REFUSED)
        case _:
            return sending.unknown("the page gave an answer that is not known")
