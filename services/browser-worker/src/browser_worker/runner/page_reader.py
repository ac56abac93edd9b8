"""Reads the page at its pace, reports what it shows, and posts the events that have lasted long enough."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from browser_worker.domain.debounce import event_of, look
from browser_worker.domain.events import Event
from browser_worker.domain.reading import PageState, Reading
from browser_worker.domain.session import Fact
from browser_worker.ports import BrowserGone, BrowserHangs
from shared.contracts.sessions import Account, State

from .context import Context


class PageReader:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._deps = context.deps
        self._polling = context.polling

    async def run(self) -> None:
        """As long as the session is owned."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds_to_next_look()):
                    await self._polling.wake.wait()
            self._polling.wake.clear()
            if self._polling.suspended or not self._context.session.launched:
                continue
            event = await self._look()
            # the work on the page may have begun during the look
            if (
                event is not None
                and not self._polling.suspended
                and self._polling.is_news(event, self._context.session)
            ):
                self._context.post(event)

    def _seconds_to_next_look(self) -> float:
        session = self._context.session
        soon = session.launched and session.state in (State.STARTING, State.SYNCING)
        return self._deps.times.poll_soon if soon else self._deps.times.poll

    async def _look(self) -> Event | None:
        context = self._context
        try:
            reading = await self._deps.browser.read()
        except BrowserGone:
            if self._polling.suspended:
                return None
            context.note(Fact.BROWSER_ENDED)
            return Event.BROWSER_GONE
        except BrowserHangs:
            return None if self._polling.suspended else Event.BROWSER_HANGS
        now = self._deps.clock.monotonic()
        self._polling.watch = look(self._polling.watch, reading.state, now)
        await self._report(reading)
        return event_of(self._polling.watch, context.session, now, self._deps.debounce)

    async def _report(self, reading: Reading) -> None:
        context, raw = self._context, reading.raw
        status = context.reporter.status
        context.reporter.set(
            browser=msgspec.structs.replace(status.browser, page_version=raw.page_version, tier=raw.tier),
            probed_at=self._deps.clock.now(),
        )
        if raw.number:
            context.reporter.set(account=Account(number=raw.number, name=raw.name, platform=raw.platform))
        pairing = status.pairing
        if pairing.qr and reading.state not in (PageState.QR, PageState.UNKNOWN):
            # the page shows it no more: whoever scanned it now would scan in vain
            context.reporter.set(pairing=msgspec.structs.replace(pairing, qr=None, qr_at=None))
            await context.reporter.publish()
        new_qr = reading.state is PageState.QR and not context.session.linked and raw.qr != status.pairing.qr
        if new_qr and raw.qr:
            now = self._deps.clock.now()
            context.reporter.set(pairing=msgspec.structs.replace(status.pairing, qr=raw.qr, qr_at=now))
            await context.reporter.publish()
