"""Keeps the page on the site: a navigation of the top frame to anywhere else ends before its request leaves.

The request is ended as aborted, because an aborted navigation leaves the page as it is: the session stays connected.
The guard asks the browser to pause requests for documents alone, in a devtools session of its own. Playwright's routes
would pause every request and switch the HTTP cache off.

Some addresses need no request (about:blank, blob:). A page that goes there is found by what it shows, not here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import CDPSession, Error, Page

from browser_worker.domain.egress import Site

_DOCUMENTS = {"patterns": [{"urlPattern": "*", "resourceType": "Document", "requestStage": "Request"}]}


class NavigationGuard:
    """`refused` is told the host of each navigation that was ended."""

    def __init__(self, site: Site, refused: Callable[[str], None]) -> None:
        self._site = site
        self._refused = refused
        self._answers: set[asyncio.Task[None]] = set()

    async def watch(self, page: Page) -> None:
        """As long as the page lives. Raises playwright's Error."""
        session = await page.context.new_cdp_session(page)
        target = await session.send("Target.getTargetInfo")
        top = target["targetInfo"]["targetId"]

        def paused(event: dict[str, Any]) -> None:
            answer = asyncio.ensure_future(self._answer(session, event, top))
            self._answers.add(answer)
            answer.add_done_callback(self._answers.discard)

        session.on("Fetch.requestPaused", paused)
        await session.send("Fetch.enable", _DOCUMENTS)

    async def _answer(self, session: CDPSession, event: dict[str, Any], top: str) -> None:
        url, request = str(event["request"]["url"]), {"requestId": event["requestId"]}
        with suppress(Error):
            if event.get("frameId") != top or self._site.shows(url):
                await session.send("Fetch.continueRequest", request)
                return
            self._refused(urlsplit(url).hostname or "")
            await session.send("Fetch.failRequest", request | {"errorReason": "Aborted"})
