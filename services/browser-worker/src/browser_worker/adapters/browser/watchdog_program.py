"""`python -m browser_worker.adapters.browser.watchdog_program SECONDS`: ends the browsers of a dead controller.

Lines on its input: `watch <profile>`, `forget <profile>`, `alive <age>`; each is a sign of life, the last one `age`
seconds old. When the input ends, or the newest sign is older than SECONDS (0: never), every process of the watched
browsers gets SIGKILL, stopped ones too.

The traps: it must outlive its controller by a moment, so it runs in a session of its own; and what it has ended once
it lets go of, for the next owner of the session may start a browser on the same profile a moment later.
"""

from __future__ import annotations

import os
import select
import sys
import time
from pathlib import Path

from browser_worker.adapters.browser.processes import BrowserProcesses

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
            heard_at = time.perf_counter() - _heed(data.decode(), watched)
        ticks += 1
        if limit > 0 and time.perf_counter() - heard_at > limit:
            _end(watched)
        elif ticks % LOOK_EVERY == 0:
            for processes in watched.values():
                processes.refresh()
    _end(watched)


def _heed(text: str, watched: dict[str, BrowserProcesses]) -> float:
    """The age of the newest sign of life, in seconds."""
    age = 0.0
    for line in text.splitlines():
        order, _, what = line.partition(" ")
        if order == "watch":
            watched.setdefault(what, BrowserProcesses(Path(what)))
        elif order == "forget":
            watched.pop(what, None)
        elif order == "alive":
            age = _number(what)
    return age


def _number(text: str) -> float:
    """A line may be cut where the pipe was full; such a one counts as fresh."""
    try:
        return float(text)
    except ValueError:
        return 0.0


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
