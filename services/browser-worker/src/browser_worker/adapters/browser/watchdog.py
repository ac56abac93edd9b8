"""The controller's end of the watchdog: starts its process, tells it which profiles to watch, gives signs of life.

One for a worker. The trap: a sign of life must come from the event loop itself, for a loop that hangs can neither
freeze its browsers nor renew its leases.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from shared.clock import Clock
from shared.runtime import get_logger

log = get_logger()

BEATS_IN_LIMIT = 4
SLOWEST_BEAT = 1.0
END_SECONDS = 10.0
_PASSED_ON = ("PATH", "HOME", "LANG", "PYTHONPATH", "LD_LIBRARY_PATH")


class Watchdog:
    """`limit`: seconds of silence after which the watched browsers are killed; 0 waits for the end of this process.
    `age`: seconds that have passed of that limit already when a sign of life is given, such as those since the lease's
    newest renewal, so that a hang is counted from there."""

    def __init__(self, *, limit: float, clock: Clock, age: Callable[[], float] = lambda: 0.0) -> None:
        self._limit = limit
        self._age = age
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._profiles: set[Path] = set()
        self._beating: asyncio.Task[None] | None = None

    def watch(self, profile: Path) -> None:
        """From the next moment on; idempotent. Call it before the browser is started."""
        self._profiles.add(profile)
        if self._beating is None or self._beating.done():
            self._beating = asyncio.get_running_loop().create_task(self._beat())
        if not self._tell(f"watch {profile}"):
            self._start()

    def forget(self, profile: Path) -> None:
        self._profiles.discard(profile)
        self._tell(f"forget {profile}")

    async def stop(self) -> None:
        """Idempotent; browsers that are still watched end."""
        beating, self._beating = self._beating, None
        process, self._process = self._process, None
        if beating is not None:
            beating.cancel()
        if process is not None:
            await asyncio.to_thread(_end, process)

    async def _beat(self) -> None:
        pause = min(SLOWEST_BEAT, self._limit / BEATS_IN_LIMIT) if self._limit else SLOWEST_BEAT
        while True:
            await self._clock.sleep(pause)
            if not self._tell(f"alive {self._age():.3f}"):
                log.warning("watchdog_restarted")
                self._start()

    def _tell(self, line: str) -> bool:
        """False when the watchdog is not there. One that does not read for a while is not dead."""
        if self._process is None or self._process.poll() is not None or self._process.stdin is None:
            return False
        with suppress(BlockingIOError):
            try:
                os.write(self._process.stdin.fileno(), line.encode() + b"\n")
            except BrokenPipeError:
                return False
        return True

    def _start(self) -> None:
        before, self._process = self._process, None
        if before is not None:
            _end(before)
        process = subprocess.Popen(
            [sys.executable, "-m", "browser_worker.adapters.browser.watchdog_program", str(self._limit)],
            stdin=subprocess.PIPE,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            start_new_session=True,
        )
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
        self._process = process
        for profile in sorted(self._profiles):
            self._tell(f"watch {profile}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
