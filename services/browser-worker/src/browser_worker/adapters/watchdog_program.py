"""`python -m browser_worker.adapters.watchdog_program SECONDS`: ends browsers whose controller is dead or hangs.

Lines on its input: `watch <profile>`, `forget <profile>`, anything else is a sign of life. When the input ends, or no
line came for SECONDS (0: for ever), every process of the watched browsers gets SIGKILL, stopped ones too.

The traps: it must outlive its controller by a moment, so it runs in a session of its own; and what it has ended once
it lets go of, for the next owner of the session may start a browser on the same profile a moment later.
"""

from __future__ import annotations

import os
import select
import sys
import time
from pathlib import Path

from browser_worker.adapters.processes import BrowserProcesses

TICK_SECONDS = 0.5
LOOK_EVERY = 4
"""Ticks between two looks for new processes: orphans can be found only by a group that was seen while it lived."""
LAST_LOOKS = 20


def main() -> None:
    limit = float(sys.argv[1])
    watched: dict[str, BrowserProcesses] = {}
    heard_at, ticks = time.perf_counter(), 0
    while True:
        if select.select([sys.stdin.fileno()], [], [], TICK_SECONDS)[0]:
            data = os.read(sys.stdin.fileno(), 65536)
            if not data:
                break
            _heed(data.decode(), watched)
            heard_at = time.perf_counter()
        ticks += 1
        if limit > 0 and time.perf_counter() - heard_at > limit:
            _end(watched)
        elif ticks % LOOK_EVERY == 0:
            for processes in watched.values():
                processes.refresh()
    _end(watched)


def _heed(text: str, watched: dict[str, BrowserProcesses]) -> None:
    for line in text.splitlines():
        order, _, profile = line.partition(" ")
        if order == "watch":
            watched.setdefault(profile, BrowserProcesses(Path(profile)))
        elif order == "forget":
            watched.pop(profile, None)


def _end(watched: dict[str, BrowserProcesses]) -> None:
    """Kill what runs now and forget it."""
    for processes in watched.values():
        processes.kill()
    for _ in range(LAST_LOOKS):
        if not any(processes.alive() for processes in watched.values()):
            break
        select.select([], [], [], TICK_SECONDS / 10)
    watched.clear()


if __name__ == "__main__":
    main()
