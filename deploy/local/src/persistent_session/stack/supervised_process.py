"""One process of the plan: started, watched until it is ready, restarted with a growing delay, stopped.

Two situations look alike and are answered differently. A process that dies before it was ever ready ends the whole
start, with the last line of its log, once a further try cannot help. A process that was ready once is restarted for
ever, because whatever it needs may come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from persistent_session.errors import CliError
from persistent_session.stack import logs
from persistent_session.stack.child import Child
from persistent_session.stack.console_output import ConsoleOutput
from persistent_session.stack.plan import ProcessSpec
from persistent_session.stack.readiness import becomes_ready
from shared.backoff import Backoff
from shared.clock import Clock

RESTARTS = Backoff(first=0.5, longest=30.0)
"""The delay between the end of a process and its restart."""
STEADY_SECONDS = 60.0
"""A process that lived this long starts with the shortest delay again."""
TRIES_BEFORE_READY = 3
BAD_SETTINGS = 2
"""Exit code of a service whose settings are wrong; a further try cannot help."""

Hook = Callable[[], Awaitable[None]]


class SupervisedProcess:
    """`after_ready` runs each time the process has become ready; `on_change` each time it starts or ends."""

    def __init__(
        self,
        spec: ProcessSpec,
        log: Path,
        *,
        clock: Clock,
        output: ConsoleOutput,
        after_ready: Hook | None,
        on_change: Hook,
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.log = log
        self.child: Child | None = None
        self._clock = clock
        self._output = output
        self._after_ready = after_ready
        self._on_change = on_change
        self._stopping = False
        self._failures = 0
        self._was_ready = False
        self._first_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """0 while the process does not run."""
        return self.child.pid if self.child and self.child.running else 0

    async def start(self) -> None:
        """Returns when the process is ready for the first time. Raises CliError when it cannot be started."""
        began = self._clock.monotonic()
        self._task = asyncio.create_task(self._run_until_stopped(), name=f"supervise {self.name}")
        await self._first_ready
        self._output.step(self.name, "ready", self._clock.monotonic() - began)

    async def stop(self, seconds: float) -> bool:
        """False when the process had to be killed after `seconds`."""
        self._stopping = True
        ended = await self.child.stop(seconds) if self.child else True
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._first_ready.done() and not self._first_ready.cancelled():
            self._first_ready.exception()  # asyncio reports an exception that nobody has looked at
        return ended

    async def _run_until_stopped(self) -> None:
        while not self._stopping:
            began = self._clock.monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            steady = self._clock.monotonic() - began >= STEADY_SECONDS
            self._failures = 1 if steady else self._failures + 1
            if self._cannot_be_started(code):
                self._give_up(f"cannot be started ({_ending(code)})")
                return
            delay = RESTARTS.delay(self._failures)
            self._output.warn(self.name, f"ended ({_ending(code)}); starting again in {delay:g} s")
            await self._clock.sleep(delay)

    async def _run_once(self) -> int:
        """From the start to the end of one process; the exit code. Afterwards the process is gone in any case."""
        self.child = await Child.start(self.spec, self.log)
        try:
            await self._on_change()
            becoming_ready = asyncio.create_task(self._become_ready())
            code = await self.child.wait()
            becoming_ready.cancel()
            with suppress(asyncio.CancelledError):
                await becoming_ready
            return code
        finally:
            await self.child.kill()
            await self._on_change()

    async def _become_ready(self) -> None:
        ready = self.spec.ready
        if not await becomes_ready(ready, self._clock):
            if ready.required:
                self._give_up(f"did not become ready within {ready.seconds:g} s")
                return
            self._output.warn(self.name, f"not ready after {ready.seconds:g} s; the start goes on; see {self.log}")
        try:
            if self._after_ready:
                await self._after_ready()
        except Exception as error:  # any error of the hook makes this process unusable; its text may hold a secret
            self._give_up(f"could not be set up ({type(error).__name__})")
            return
        if self._was_ready:
            self._output.step(self.name, "ready again")
        self._was_ready = True
        if not self._first_ready.done():
            self._first_ready.set_result(None)

    def _cannot_be_started(self, code: int) -> bool:
        return not self._was_ready and (code == BAD_SETTINGS or self._failures >= TRIES_BEFORE_READY)

    def _give_up(self, what: str) -> None:
        """Fail the start; after the start, end this process so that the next one begins after the delay."""
        if self._first_ready.done():
            self._output.warn(self.name, what)
            if self.child and self.child.running:
                self.child.terminate()
            return
        last = logs.last_lines(self.log, 1)
        quoted = f": {last[0][:300]}" if last else ""
        self._first_ready.set_exception(CliError(f"{self.name} {what}{quoted}", hint=f"its log is {self.log}"))


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
