"""Starts the processes of a plan stage by stage, and stops them one by one in the reverse order.

The supervisor knows processes and their readiness, nothing of sessions or keys. The trap: the whole stop has one
deadline, so a process can only use what the processes stopped before it have left over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from persistent_session.stack import subreaper
from persistent_session.stack.console_output import ConsoleOutput
from persistent_session.stack.plan import ProcessSpec
from persistent_session.stack.supervised_process import Hook, SupervisedProcess
from shared.clock import Clock

STOP_SECONDS = 19.5
"""The longest stop of all processes together."""
HURRIED_SECONDS = 1.0
"""What is left to each process after a second Ctrl-C."""
_LEAST_SECONDS = 0.3
ORPHAN_SECONDS = 2.0
"""An orphaned process that lives longer is killed."""
_ORPHAN_CHECK_SECONDS = 0.5


class Supervisor:
    """All processes of one system."""

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        log_dir: Path,
        clock: Clock,
        output: ConsoleOutput,
        after_ready: Mapping[str, Hook] | None = None,
        on_change: Callable[[Mapping[str, int]], None] = lambda _: None,
        reap_orphans: bool = False,
    ) -> None:
        """`on_change` receives the process ids by name after each change. `reap_orphans`: end orphaned processes below
        this process, which must then start no children other than those of the plan."""
        self._clock = clock
        self._output = output
        self._on_change = on_change
        self._reap_orphans = reap_orphans
        hooks = after_ready or {}
        self.processes = [
            SupervisedProcess(
                spec, log_dir / f"{spec.name}.log", clock=clock, output=output, after_ready=hooks.get(spec.name),
                on_change=self._changed,
            )
            for spec in specs
        ]  # fmt: skip
        self._reaping: asyncio.Task[None] | None = None

    def pids(self) -> dict[str, int]:
        """Process ids by name; 0 for a process that does not run now."""
        return {process.name: process.pid for process in self.processes}

    async def start(self) -> None:
        """Stage by stage, each ready before the next. Raises CliError; what was started runs until `stop`."""
        if self._reap_orphans:
            subreaper.become_subreaper()
            self._reaping = asyncio.create_task(self._end_orphans(), name="end orphans")
        for stage in sorted({process.spec.stage for process in self.processes}):
            starting = [process.start() for process in self.processes if process.spec.stage == stage]
            outcomes = await asyncio.gather(*starting, return_exceptions=True)
            for failure in filter(None, outcomes):
                raise failure

    async def stop(self, hurry: asyncio.Event) -> None:
        """In the reverse order, within STOP_SECONDS in all; `hurry` shortens what is left."""
        until = self._clock.monotonic() + STOP_SECONDS
        for process in reversed(self.processes):
            await self._stop_one(process, until, hurry)
        if self._reaping:
            self._reaping.cancel()
            with suppress(asyncio.CancelledError):
                await self._reaping
            subreaper.kill_trees(subreaper.orphans(()))

    async def _stop_one(self, process: SupervisedProcess, until: float, hurry: asyncio.Event) -> None:
        began = self._clock.monotonic()
        ran = process.pid != 0
        budget = max(_LEAST_SECONDS, min(process.spec.stop_seconds, until - began))
        stopping = asyncio.create_task(process.stop(HURRIED_SECONDS if hurry.is_set() else budget))
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({stopping, hurried}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done() and process.child:
            await asyncio.wait({stopping}, timeout=HURRIED_SECONDS)
            await process.child.kill()
        hurried.cancel()
        ended = await stopping
        if ended and ran:
            self._output.step(process.name, "stopped", self._clock.monotonic() - began)
        elif not ended:
            self._output.warn(process.name, "did not stop in time and was killed")

    async def _changed(self) -> None:
        self._on_change(self.pids())

    async def _end_orphans(self) -> None:
        """Until cancelled: kill each orphan that has lived longer than ORPHAN_SECONDS."""
        first_seen: dict[int, float] = {}
        while True:
            now = self._clock.monotonic()
            known = {process.child.pid for process in self.processes if process.child}
            found = subreaper.orphans(known)
            first_seen = {orphan.pid: first_seen.get(orphan.pid, now) for orphan in found}
            subreaper.kill_trees([orphan for orphan in found if now - first_seen[orphan.pid] > ORPHAN_SECONDS])
            await self._clock.sleep(_ORPHAN_CHECK_SECONDS)
