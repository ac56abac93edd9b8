"""One child process: started in a session of its own, bound to the supervisor's life, ended for certain.

A session of its own keeps a terminal's Ctrl-C away from the process, so the supervisor decides the order of the stop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from contextlib import suppress
from pathlib import Path

from persistent_session.stack.logs import open_log
from persistent_session.stack.plan import ProcessSpec

PARENT_DEATH = Path(__file__).with_name("parent_death.py")


class Child:
    """A running process of the plan."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, spec: ProcessSpec, log: Path) -> Child:
        launcher = (sys.executable, "-I", "-S", str(PARENT_DEATH), str(int(spec.death_signal)), str(os.getpid()))
        with open_log(log) as output:
            process = await asyncio.create_subprocess_exec(
                *launcher, *spec.argv, stdin=DEVNULL, stdout=output, stderr=STDOUT, env=dict(spec.env),
                start_new_session=True, cwd=spec.folder,
            )  # fmt: skip
        return cls(process)

    async def wait(self) -> int:
        """The exit code; negative for the signal that ended the process."""
        return await self._process.wait()

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()

    async def stop(self, seconds: float) -> bool:
        """SIGTERM, then SIGKILL after `seconds`. False when the process had to be killed."""
        if self.running:
            self.terminate()
        try:
            await asyncio.wait_for(self.wait(), seconds)
            return True
        except TimeoutError:
            return False
        finally:
            await self.kill()

    async def kill(self) -> None:
        """Kill the process and whatever is left of its process group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await self.wait()
