"""One owned session: feeds events into the machine and lets its effects be performed.

Events come from the reader of the page, from the effects and from outside (stop, clear, lease). An event that moves the
machine cancels the work under way: a wait on the ladder ends when the page connects, a restore when a person stops it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from browser_worker.domain.debounce import event_of, look
from browser_worker.domain.machine import Event, Session, advance
from browser_worker.domain.reading import PageState, Reading
from browser_worker.ports import BrowserGone, BrowserHangs
from shared.contracts.sessions import Account, Pairing, Reason, State
from shared.runtime import Tasks, get_logger

from .context import Context
from .control import Control
from .dependencies import Dependencies
from .effects import Effects
from .freeze_guard import Holder
from .observing import Observer
from .sending import Sending

log = get_logger()

FINAL = frozenset({Event.STOP, Event.CLEAR, Event.LEASE_LOST})


class SessionRunner:
    """Runs one session from START to STOP, CLEAR or LEASE_LOST. The caller holds the lease and the profile's lock."""

    def __init__(self, deps: Dependencies, *, epoch: int, owns: Callable[[], bool] = lambda: True) -> None:
        """`owns`: whether the lease can still be ours, by the time of its newest renewal."""
        self._context = Context(deps, epoch=epoch, owns=owns)
        self._deps = deps
        self._observer = Observer(self._context)
        sending = Sending(self._context)
        self._effects = Effects(self._context, self._observer, sending)
        self.control = Control(self._context, self._observer, sending)
        self._tasks = Tasks(deps.clock)
        self._sure = asyncio.Event()
        self._sure.set()
        self._interrupted = False
        self._done = False
        self._work: asyncio.Task[bool] | None = None
        deps.browser.on_wake(self._context.wake.set)

    @property
    def state(self) -> State:
        return self._context.state

    @property
    def request(self) -> int:
        """The newest request that has been carried out."""
        return self._context.remembered.request

    @property
    def frozen(self) -> bool:
        return self._context.freeze_guard.held_by(Holder.LEASE)

    def post(self, event: Event) -> None:
        self._context.post(event)

    def again(self, request: int) -> None:
        """`initialize` was asked for once more."""
        self._carried_out(request)
        self.post(Event.REINITIALIZE)

    def anchored(self, epoch: int) -> None:
        """The store has confirmed this owner's epoch, which may be newer than the lease's."""
        context = self._context
        context.epoch = context.anchored_epoch = epoch
        context.anchored.set()
        context.remember(epoch=epoch)
        context.reporter.set(epoch=epoch)

    def freeze(self) -> None:
        """The lease is in doubt: the browser can neither send nor write, and no work begins, until `thaw`. Work on the
        browser that is under way is cut off, for it could start another."""
        if not self.frozen:
            self._context.hush()
            self._sure.clear()
            self._cut_off()
        self._context.freeze_guard.hold(Holder.LEASE)

    def _cut_off(self) -> None:
        if self._work is None or self._work.done():
            return
        self._work.cancel()
        if self.state is not State.CONNECTED:
            self._interrupted = True
            self._context.launched = False
            self._deps.browser.kill()

    def thaw(self) -> None:
        """The lease is sure again."""
        if not self.frozen:
            return
        self._context.freeze_guard.release(Holder.LEASE)
        self._context.unhush()
        self._sure.set()
        if self._interrupted:
            self._interrupted = False
            self.post(Event.RESUME)

    def lost(self) -> None:
        """Another worker owns the session: the browser ends at once, before anything is waited for."""
        if self._work is not None:
            self._work.cancel()
        self._context.launched = False
        self._deps.browser.kill()
        self._context.reporter.silence()
        self.post(Event.LEASE_LOST)

    async def run(self, request: int) -> Event:
        """Keep the session running until a final event, which is returned."""
        self._begin()
        self._carried_out(request)
        self.post(Event.START)
        self._tasks.spawn("page-reader", self._read_page)
        self._tasks.spawn("keeper", self._context.backup_scheduler.run)
        self._tasks.spawn("observer", self._observer.run)
        try:
            return await self._loop()
        finally:
            await self._stop_work()
            await self._tasks.stop()

    async def clear(self, request: int) -> None:
        """Unlink and wipe a session that was not running."""
        self._begin()
        await self._take(Event.CLEAR)
        await self.cleared(request)

    async def pay_tombstone(self) -> bool:
        """False while the store has not been told of a `clear`."""
        return await self._context.pay_tombstone()

    async def cleared(self, request: int) -> None:
        """Note durably that the request to clear was carried out, so that it is not done again; unless it was not."""
        if self._done:
            self._carried_out(request)
        await self._context.reporter.publish()

    async def stopped(self, request: int) -> None:
        """Note that the request to stop was carried out."""
        self._carried_out(request)
        await self._context.reporter.publish()

    async def report(self, state: State, reason: Reason) -> None:
        """Say why nothing can be done now, without a step of the machine."""
        await self._context.reporter.changed(Session(state=state, reason=reason))

    def _begin(self) -> None:
        context = self._context
        context.remember(epoch=max(context.epoch, context.remembered.epoch))

    def _carried_out(self, request: int) -> None:
        self._context.remember(request=request)
        self._context.reporter.set(request=request)

    # the loop

    async def _loop(self) -> Event:
        while True:
            event = await self._context.events.get()
            if event not in FINAL:
                await self._sure.wait()
            await self._take(event)
            if event in FINAL:
                return event

    async def _take(self, event: Event) -> None:
        context = self._context
        step = advance(context.session, event)
        if step.session == context.session and not step.effects:
            return
        await self._stop_work()
        before, context.session = context.session, step.session
        if step.session.linked != before.linked:
            context.remember(linked=step.session.linked, revoked=not step.session.linked and context.remembered.revoked)
        self._note_connection()
        if (before.state, before.reason) != (step.session.state, step.session.reason):
            await context.reporter.changed(step.session)
        if event in FINAL:
            await self._tasks.stop()
            self._done = await self._effects.perform(step.effects)
        elif step.effects:
            self._work = asyncio.create_task(self._effects.perform(step.effects))

    async def _stop_work(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            await _cancel(work)

    def _note_connection(self) -> None:
        context = self._context
        connected = context.state is State.CONNECTED
        if not connected:
            context.connected_at = None
        elif context.connected_at is None:
            context.connected_at = self._deps.clock.monotonic()
        if connected or context.session.newly_linked:
            context.proven = True
            context.launches_since_connected = 0
        if context.state is not State.PAIRING:
            context.reporter.set(pairing=Pairing())

    # the page

    async def _read_page(self) -> None:
        context = self._context
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds()):
                    await context.wake.wait()
            context.wake.clear()
            if context.quiet or not context.launched:
                continue
            event = await self._look()
            if event is not None and not context.quiet:
                self._say(event)

    def _poll_seconds(self) -> float:
        context = self._context
        soon = context.launched and context.state in (State.STARTING, State.SYNCING)
        return self._deps.times.poll_soon if soon else self._deps.times.poll

    async def _look(self) -> Event | None:
        context = self._context
        try:
            reading = await self._deps.browser.read()
        except BrowserGone:
            if context.quiet:
                return None
            context.launched = False
            return Event.BROWSER_GONE
        except BrowserHangs:
            return None if context.quiet else Event.BROWSER_HANGS
        now = self._deps.clock.monotonic()
        context.watch = look(context.watch, reading.state, now)
        await self._note_reading(reading)
        return event_of(context.watch, context.session, now, self._deps.debounce)

    def _say(self, event: Event) -> None:
        """Post an event of the page once for each state of the session: a page repeats itself at every look."""
        context = self._context
        if context.said != (event, context.session):
            context.said = (event, context.session)
            self.post(event)

    async def _note_reading(self, reading: Reading) -> None:
        context, raw = self._context, reading.raw
        status = context.reporter.status
        context.reporter.set(
            browser=msgspec.structs.replace(status.browser, page_version=raw.page_version, tier=raw.tier),
            probed_at=self._deps.clock.now(),
        )
        if raw.number:
            context.reporter.set(account=Account(number=raw.number, name=raw.name, platform=raw.platform))
        new_qr = reading.state is PageState.QR and not context.session.linked and raw.qr != status.pairing.qr
        if new_qr and raw.qr:
            now = self._deps.clock.now()
            context.reporter.set(pairing=msgspec.structs.replace(status.pairing, qr=raw.qr, qr_at=now))
            await context.reporter.publish()


async def _cancel(task: asyncio.Task[bool]) -> None:
    """Cancel and wait; what a cancelled task was doing is no news."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
