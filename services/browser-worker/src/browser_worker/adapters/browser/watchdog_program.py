"""`python -m browser_worker.adapters.browser.watchdog_program SECONDS`: ends the browsers of a dead or hanging worker.

The worker writes lines to the input of this process: `watch <profile>`, `forget <profile>` and `alive <age>`. Each line
is a sign of life; that of `alive` is `age` seconds old. When the input ends, or when the newest sign of life is older
than SECONDS (0: never), every process of the watched browsers gets SIGKILL, frozen processes too. The connections that
a hanging worker holds for them are cut.

This process runs in a session of its own, because it must outlive the worker by a moment. After it has killed a
browser it forgets the profile at once: the next owner of the session may start a browser on the same profile, and that
browser must live.
"""

from __future__ import annotations

import os
import select
import sys
import time
from pathlib import Path

from browser_worker.adapters.browser import egress_connections
from browser_worker.adapters.browser.processes import BrowserProcesses

TICK_SECONDS = 0.5
LOOK_EVERY = 4
"""Ticks between two looks for new processes. An orphan is found only when an earlier look has seen its group."""
LAST_LOOKS = 20
"""Looks at killed processes, a tenth of a tick apart, before this process forgets them."""


def main() -> None:
    limit = float(sys.argv[1])
    worker = os.getppid()
    watched: dict[str, BrowserProcesses] = {}
    heard_at, ticks = time.perf_counter(), 0
    while True:
        if select.select([sys.stdin.fileno()], [], [], TICK_SECONDS)[0]:
            data = os.read(sys.stdin.fileno(), 65536)
            if not data:
                break
            heard_at = time.perf_counter() - _handle(data.decode(), watched)
        ticks += 1
        if limit > 0 and watched and time.perf_counter() - heard_at > limit:
            _end(watched)
            egress_connections.cut(worker)
        elif ticks % LOOK_EVERY == 0:
            for processes in watched.values():
                processes.refresh()
    _end(watched)


def _handle(text: str, watched: dict[str, BrowserProcesses]) -> float:
    """Do what the lines say; gives the age of the newest sign of life, in seconds. A read may end
    within a line, so an unknown line is a sign of life and nothing more."""
    age = 0.0
    for line in text.splitlines():
        verb, _, value = line.partition(" ")
        if verb == "watch":
            watched.setdefault(value, BrowserProcesses(Path(value)))
        elif verb == "forget":
            watched.pop(value, None)
        elif verb == "alive":
            age = _number(value)
    return age


def _number(text: str) -> float:
    """0 for a number that a read has cut."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _end(watched: dict[str, BrowserProcesses]) -> None:
    """Kill the watched browsers, and forget their profiles."""
    for processes in watched.values():
        processes.kill()
    for _ in range(LAST_LOOKS):
        if not any(processes.alive() for processes in watched.values()):
            break
        select.select([], [], [], TICK_SECONDS / 10)
    watched.clear()


if __name__ == "__main__":
    main()
