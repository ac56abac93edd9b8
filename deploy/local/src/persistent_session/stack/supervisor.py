"""Starts the processes of a plan in order, restarts what dies with a growing delay, stops all in the reverse order.

Knows processes and their readiness, nothing of sessions or keys. A process that dies again and again before it was ever
ready ends the start with its last words; one that was ready once is restarted for ever. Trap: the stop has one deadline
for all, so a step can only use what the steps before it left over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx

from persistent_session.faults import Fault
from persistent_session.stack import logs, orphans
from persistent_session.stack.child import Child
from persistent_session.stack.plan import Process
from persistent_session.stack.telling import Telling
from shared.clock import Clock

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
STEADY_SECONDS = 60.0
"""A process that lived this long starts with the shortest delay again."""
TRIES_BEFORE_READY = 3
BAD_SETTINGS = 2
"""Exit code of a service whose settings are wrong: trying again cannot help."""
STOP_SECONDS = 19.5
HURRIED_SECONDS = 1.0
ORPHAN_SECONDS = 2.0

Hook = Callable[[], Awaitable[None]]


def delay_before(attempt: int) -> float:
    """Seconds before restart number `attempt` (from 1)."""
    return float(min(FIRST_DELAY * 2 ** min(attempt - 1, 16), LONGEST_DELAY))


class Service:
    """One process of the plan, kept alive."""

    def __init__(
        self, wanted: Process, log: Path, *, clock: Clock, telling: Telling, after_ready: Hook | None, changed: Hook
    ) -> None:
        self.wanted = wanted
        self.name = wanted.name
        self.log = log
        self.child: Child | None = None
        self._clock = clock
        self._telling = telling
        self._after_ready = after_ready
        self._changed = changed
        self._stopping = False
        self._failures = 0
        self._was_ready = False
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self.child.pid if self.child and self.child.running else 0

    async def start(self) -> None:
        """Until it is ready for the first time. Raises Fault when it cannot be started."""
        began = self._clock.monotonic()
        self._task = asyncio.create_task(self._keep_alive(), name=f"keep {self.name}")
        await self._first
        self._telling.step(self.name, "ready", self._clock.monotonic() - began)

    async def stop(self, seconds: float) -> bool:
        """False when it had to be killed."""
        self._stopping = True
        gentle = await self.child.stop(seconds) if self.child else True
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._first.done() and not self._first.cancelled():
            self._first.exception()
        return gentle

    async def _keep_alive(self) -> None:
        while not self._stopping:
            began = self._clock.monotonic()
            code = await self._one_life()
            if self._stopping:
                return
            steady = self._clock.monotonic() - began >= STEADY_SECONDS
            self._failures = 1 if steady else self._failures + 1
            if self._hopeless(code):
                return
            pause = delay_before(self._failures)
            self._telling.warn(self.name, f"ended ({_ending(code)}); starting again in {pause:g} s")
            await self._clock.sleep(pause)

    async def _one_life(self) -> int:
        """From start to end. Whatever else happens, the process is gone afterwards."""
        self.child = await Child.start(self.wanted, self.log)
        try:
            await self._changed()
            ready = asyncio.create_task(self._become_ready())
            code = await self.child.wait()
            ready.cancel()
            with suppress(asyncio.CancelledError):
                await ready
            return code
        finally:
            await self.child.kill()
            await self._changed()

    async def _become_ready(self) -> None:
        wanted = self.wanted.ready
        if not await _answers(wanted.url, wanted.seconds, self._clock):
            if wanted.required:
                self._give_up(f"did not become ready within {wanted.seconds:g} s")
                return
            self._telling.warn(self.name, f"not ready after {wanted.seconds:g} s, going on; see {self.log}")
        try:
            if self._after_ready:
                await self._after_ready()
        except Exception as error:  # whatever it is: say it, and let the start or the next life decide
            self._give_up(f"could not be set up ({type(error).__name__})")
            return
        if self._was_ready:
            self._telling.step(self.name, "ready again")
        self._was_ready = True
        if not self._first.done():
            self._first.set_result(None)

    def _hopeless(self, code: int) -> bool:
        """Never ready yet, and trying again will not help: the start fails."""
        if self._was_ready or not (code == BAD_SETTINGS or self._failures >= TRIES_BEFORE_READY):
            return False
        self._give_up(f"cannot be started ({_ending(code)})")
        return True

    def _give_up(self, what: str) -> None:
        if self._first.done():
            self._telling.warn(self.name, what)
            if self.child and self.child.running:
                self.child.ask_to_end()  # a life that cannot be used; the next one begins after the delay
            return
        last = logs.last_lines(self.log, 1)
        said = f": {last[0][:300]}" if last else ""
        self._first.set_exception(Fault(f"{self.name} {what}{said}", hint=f"its log is {self.log}"))


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


async def _answers(url: str, seconds: float, clock: Clock) -> bool:
    """Whether `url` gave 200 within `seconds`."""
    until = clock.monotonic() + seconds
    async with httpx.AsyncClient(timeout=2.0, trust_env=False) as http:
        while clock.monotonic() < until:
            with suppress(httpx.HTTPError):
                if (await http.get(url)).status_code == httpx.codes.OK:
                    return True
            await clock.sleep(0.05)
    return False


class Supervisor:
    """All processes of one system."""

    def __init__(
        self,
        processes: Sequence[Process],
        *,
        log_dir: Path,
        clock: Clock,
        telling: Telling,
        after_ready: Mapping[str, Hook] | None = None,
        on_change: Callable[[Mapping[str, int]], None] = lambda _: None,
        adopt_orphans: bool = False,
    ) -> None:
        """`adopt_orphans`: bury what loses its parent below this process; only for a process that does nothing else."""
        self._clock = clock
        self._telling = telling
        self._on_change = on_change
        self._adopt_orphans = adopt_orphans
        hooks = after_ready or {}
        self.services = [
            Service(
                process, log_dir / f"{process.name}.log", clock=clock, telling=telling,
                after_ready=hooks.get(process.name), changed=self._changed,
            )
            for process in processes
        ]  # fmt: skip
        self._orphans: asyncio.Task[None] | None = None

    def pids(self) -> dict[str, int]:
        """Process ids by name; 0 for one that does not run now."""
        return {service.name: service.pid for service in self.services}

    async def start(self) -> None:
        """Stage by stage, each ready before the next. Raises Fault; what was started runs until `stop`."""
        if self._adopt_orphans:
            orphans.adopt()
            self._orphans = asyncio.create_task(self._bury_orphans(), name="bury orphans")
        for stage in sorted({service.wanted.stage for service in self.services}):
            starting = [service.start() for service in self.services if service.wanted.stage == stage]
            outcomes = await asyncio.gather(*starting, return_exceptions=True)
            for failure in filter(None, outcomes):
                raise failure

    async def stop(self, hurry: asyncio.Event) -> None:
        """In the reverse order, within STOP_SECONDS in all; `hurry` shortens what is left."""
        until = self._clock.monotonic() + STOP_SECONDS
        for service in reversed(self.services):
            await self._stop_one(service, until, hurry)
        if self._orphans:
            self._orphans.cancel()
            with suppress(asyncio.CancelledError):
                await self._orphans
            orphans.kill(orphans.present(()))

    async def _stop_one(self, service: Service, until: float, hurry: asyncio.Event) -> None:
        began = self._clock.monotonic()
        ran = service.pid != 0
        budget = max(0.3, min(service.wanted.stop_seconds, until - began))
        stopping = asyncio.create_task(service.stop(HURRIED_SECONDS if hurry.is_set() else budget))
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({stopping, hurried}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done() and service.child:
            await asyncio.wait({stopping}, timeout=HURRIED_SECONDS)
            await service.child.kill()
        hurried.cancel()
        gentle = await stopping
        if gentle and ran:
            self._telling.step(service.name, "stopped", self._clock.monotonic() - began)
        elif not gentle:
            self._telling.warn(service.name, "did not stop in time and was killed")

    async def _changed(self) -> None:
        self._on_change(self.pids())

    async def _bury_orphans(self) -> None:
        """An orphan that outlives ORPHAN_SECONDS is killed."""
        seen: dict[int, float] = {}
        while True:
            now = self._clock.monotonic()
            known = {service.child.pid for service in self.services if service.child}
            found = orphans.present(known)
            seen = {process.pid: seen.get(process.pid, now) for process in found}
            orphans.kill([process for process in found if now - seen[process.pid] > ORPHAN_SECONDS])
            await self._clock.sleep(0.5)
