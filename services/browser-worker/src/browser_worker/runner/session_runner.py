"""One owned session: feeds events into the machine and lets its effects be performed.

Events come from the page reader, from the effects and from outside (stop, clear, lease). An event that moves the
session cancels the work under way: a wait on the ladder ends when the page connects, a restore when a person stops it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from browser_worker.domain.events import FINAL, Event
from browser_worker.domain.machine import advance
from browser_worker.domain.session import Fact, Session, anchored, carried_out
from shared.contracts.sessions import Pairing, Reason, State
from shared.runtime import Tasks

from .context import Context
from .control import Control
from .dependencies import Dependencies
from .effects.performer import Performer
from .freeze_guard import Holder
from .observer import Observer
from .page_reader import PageReader
from .sending import Sending
from .tombstone import write_tombstone


class SessionRunner:
    """Runs one session from START to STOP, CLEAR or LEASE_LOST. The caller holds the lease and the profile's lock."""

    def __init__(self, deps: Dependencies, *, epoch: int, owns: Callable[[], bool] = lambda: True) -> None:
        """`owns`: whether the lease can still be ours, by the time of its newest renewal."""
        self._context = Context(deps, epoch=epoch, owns=owns)
        self._deps = deps
        self._observer = Observer(self._context)
        sending = Sending(self._context)
        self._performer = Performer(self._context, self._observer, sending)
        self.control = Control(self._context, self._observer, sending)
        self._tasks = Tasks(deps.clock)
        self._may_go_on = asyncio.Event()
        """Set while the lease is sure. Stays set once the session is ending."""
        self._may_go_on.set()
        self._ending = False
        self._frozen_at = 0.0
        self._interrupted = False
        self._ended_well = False
        self._work: asyncio.Task[bool] | None = None
        deps.browser.on_wake(self._context.polling.wake.set)

    @property
    def state(self) -> State:
        return self._context.state

    @property
    def request(self) -> int:
        """The newest request that has been carried out."""
        return self._context.session.request

    @property
    def fenced(self) -> asyncio.Event:
        """Set when the object store has refused a backup, because it knows another owner."""
        return self._context.fenced

    @property
    def frozen(self) -> bool:
        return Holder.LEASE in self._context.freeze_guard.holders

    def post(self, event: Event) -> None:
        if event in FINAL:
            self._ending = True
            self._may_go_on.set()
        self._context.post(event)

    def reinitialize(self, request: int) -> None:
        """`initialize` was requested once more."""
        self._note_carried_out(request)
        self.post(Event.REINITIALIZE)

    def epoch_anchored(self, epoch: int) -> None:
        """The object store has confirmed this owner's epoch, which may be newer than the lease's."""
        self._context.update(anchored(self._context.session, epoch))
        self._context.reporter.set(epoch=epoch)

    def freeze(self) -> None:
        """The lease is in doubt: until `thaw` the browser can neither send nor write, and no work begins. Work on the
        browser that is under way is cut off, because it could start another browser."""
        if not self.frozen:
            if not self._ending:
                self._may_go_on.clear()
            self._frozen_at = self._deps.clock.monotonic()
            self._cut_off_work()
        self._context.freeze_guard.hold(Holder.LEASE)

    def _cut_off_work(self) -> None:
        if self._work is None or self._work.done():
            return
        self._work.cancel()
        if self.state is not State.CONNECTED:
            self._interrupted = True
            self._kill_browser()

    def thaw(self) -> None:
        """The lease is sure again."""
        if not self.frozen:
            return
        self._context.freeze_guard.release(Holder.LEASE)
        self._count_freeze()
        self._context.polling.look_again()
        self._may_go_on.set()
        if self._interrupted:
            self._interrupted = False
            self.post(Event.RESUME)

    def lease_lost(self) -> None:
        """Another worker owns the session: the browser ends at once, before anything is waited for."""
        if self._work is not None:
            self._work.cancel()
        self._kill_browser()
        if self.frozen:
            self._count_freeze()
        self._context.reporter.silence()
        self.post(Event.LEASE_LOST)

    def _count_freeze(self) -> None:
        self._deps.metrics.frozen(self._deps.clock.monotonic() - self._frozen_at)

    def _kill_browser(self) -> None:
        self._context.note(Fact.BROWSER_ENDED)
        self._deps.browser.kill()

    async def run(self, request: int) -> Event:
        """Run the session until a final event, which is returned."""
        self._context.note(Fact.PROFILE_USED)
        self._note_carried_out(request)
        self.post(Event.START)
        self._tasks.spawn("page-reader", PageReader(self._context).run)
        self._tasks.spawn("backup-scheduler", self._context.backup_scheduler.run)
        self._tasks.spawn("observer", self._observer.run)
        try:
            return await self._loop()
        finally:
            await self._stop_work()
            await self._tasks.stop()

    async def clear(self, request: int) -> None:
        """Unlink and wipe a session that was not running."""
        self._context.note(Fact.PROFILE_USED)
        await self._take(Event.CLEAR)
        await self.report_cleared(request)

    async def write_tombstone(self) -> bool:
        """False while the object store has not been told of a `clear`."""
        return await write_tombstone(self._context)

    async def report_cleared(self, request: int) -> None:
        """Note durably that the request to clear was carried out, so that it is not done again; unless it failed."""
        if self._ended_well:
            self._note_carried_out(request)
        await self._context.reporter.publish()

    async def report_stopped(self, request: int) -> None:
        """Note that the request to stop was carried out."""
        self._note_carried_out(request)
        await self._context.reporter.publish()

    async def report(self, state: State, reason: Reason) -> None:
        """Say why nothing can be done now, without a step of the machine."""
        await self._context.reporter.changed(Session(state=state, reason=reason))

    def _note_carried_out(self, request: int) -> None:
        self._context.update(carried_out(self._context.session, request))
        self._context.reporter.set(request=request)

    async def _loop(self) -> Event:
        while True:
            event = await self._context.events.get()
            if event not in FINAL:
                await self._may_go_on.wait()
                if self.frozen:
                    continue  # a final event follows in the queue, and the lease is still in doubt
            await self._take(event)
            if event in FINAL:
                return event

    async def _take(self, event: Event) -> None:
        context = self._context
        step = advance(context.session, event)
        if step.session == context.session and not step.effects:
            return
        await self._stop_work()
        # facts may have been noted while the work was being stopped
        step = advance(context.session, event)
        before = context.session
        context.update(step.session)
        if context.state is not State.PAIRING:
            context.reporter.set(pairing=Pairing())
        if (before.state, before.reason) != (step.session.state, step.session.reason):
            await context.reporter.changed(step.session)
        if event in FINAL:
            await self._tasks.stop()
            self._ended_well = await self._performer.perform(step.effects)
        elif step.effects:
            self._work = asyncio.create_task(self._performer.perform(step.effects))

    async def _stop_work(self) -> None:
        """Cancel and wait. What the cancelled work was doing is no news."""
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
