"""The worker's end of the watchdog: starts the watchdog process and sends it the profiles to watch and signs of life.

A worker that loses its lease freezes its browsers. A worker that dies or hangs cannot, and its browsers would run on
beside those of the next owner: two browsers on one session. The watchdog is a second process that ends them. It kills
every watched browser when its input ends (the worker is dead) or when no sign of life came for `limit` seconds (the
worker hangs).

Two details make this safe. The signs of life come from the event loop that also freezes browsers and renews leases, so
a hanging loop gives none. And each sign carries an age: the time since the newest renewal of a lease. The limit thus
counts from the renewal, and the browsers are dead before another worker can take the lease over.

One watchdog serves all browsers of a worker. A watchdog that died is started again with the next sign of life.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from browser_worker.adapters.browser import egress_connections
from shared.clock import Clock
from shared.runtime import get_logger

log = get_logger()

BEATS_IN_LIMIT = 4
"""Signs of life within the limit."""
SLOWEST_BEAT = 1.0
"""Seconds between two signs of life at most."""
END_SECONDS = 10.0
_ENVIRONMENT = ("PATH", "HOME", "LANG", "PYTHONPATH", "LD_LIBRARY_PATH")


class Watchdog:
    """`limit`: seconds without a sign of life after which the watched browsers are killed; 0 means that they are killed
    only when this process is gone. `age`: seconds of that limit that have passed when a sign of life is given."""

    def __init__(self, *, limit: float, clock: Clock, age: Callable[[], float] = lambda: 0.0) -> None:
        self._limit = limit
        self._age = age
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._profiles: set[Path] = set()
        self._beating: asyncio.Task[None] | None = None

    def watch(self, profile: Path) -> None:
        """Idempotent. Call it before the browser starts, so that no browser runs unwatched."""
        self._profiles.add(profile)
        if self._beating is None or self._beating.done():
            self._beating = asyncio.get_running_loop().create_task(self._beat())
        if not self._send(f"watch {profile}"):
            self._start()

    def forget(self, profile: Path) -> None:
        self._profiles.discard(profile)
        self._send(f"forget {profile}")

    async def stop(self) -> None:
        """End the watchdog process. Idempotent; browsers that are still watched end too."""
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
            if not self._send(f"alive {self._age():.3f}"):
                log.warning("watchdog_restarted")
                self._start()

    def _send(self, line: str) -> bool:
        """False when no watchdog process runs. A process that is slow to read loses the line and is not dead."""
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
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,
        )
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
        egress_connections.let_cut(process.pid)
        self._process = process
        for profile in sorted(self._profiles):
            self._send(f"watch {profile}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
