"""Every process of the browser on one profile: found, frozen, thawed, killed, measured.

A browser is a tree of processes, and a signal must reach all of them, those included that are forked at this moment.
Playwright starts the browser in a process group of its own, and one signal to the group reaches every member at once.
Processes that left the group are signalled one by one, until a look finds no new ones.

Only the main process surely names the profile on its command line. When it is dead, its orphans are found by their
group and among the processes known from earlier looks. `refresh` must therefore have looked while the main process
lived.

SIGSTOP only asks: a thread inside a system call ends that call first, and a write under way would fall into a copy of
the profile. `freeze` therefore returns only when the kernel reports every thread as stopped.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from browser_worker.adapters.browsers_on_profile import processes_on

STILL_SECONDS = 1.0
"""How long a freeze waits for the last thread. Threads stop within microseconds on an idle machine; on a busy one a
thread must first be given a processor, or the disk, to end its system call, and until then it may still write. The
longest wait stays far below what a doubt of the lease leaves until another worker may take over."""
_STILL = frozenset("TtXxZ")
_ROUNDS = 10
_GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, ProcessLookupError)


class BrowserProcesses:
    """The processes of the browser on `profile`. No call raises when a process is gone."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._groups: set[int] = set()
        self._known: dict[int, psutil.Process] = {}

    def refresh(self) -> list[psutil.Process]:
        """Look for all processes now, remember them, and give those that live."""
        roots = _started_on(self._profile)
        self._groups |= {group for root in roots if (group := _group(root.pid)) in {root.pid for root in roots}}
        found = {process.pid: process for process in roots}
        for pid in _members(self._groups):
            with suppress(psutil.Error):
                found.setdefault(pid, psutil.Process(pid))
        for process in list(found.values()):
            for child in _children(process):
                found.setdefault(child.pid, child)
        known = {pid: process for pid, process in self._known.items() if _lives(process)}
        self._known = known | {pid: process for pid, process in found.items() if _lives(process)}
        self._groups = {group for group in self._groups if _members({group})}
        return list(self._known.values())

    def alive(self) -> bool:
        """Whether a known process lives. Cheap: looks for no new processes."""
        return any(_lives(process) for process in self._known.values())

    def freeze(self, *, wait_seconds: float = STILL_SECONDS) -> bool:
        """SIGSTOP, then wait until every thread stands still. False when a thread still moves after `wait_seconds`,
        such as one that waits for a disk. Idempotent; fast, because the page stands still until the thaw."""
        if not self._known:
            self.refresh()
        self._signal(signal.SIGSTOP)
        for _ in range(_ROUNDS):
            new = self._unseen()
            if not new:
                break
            _each(new, signal.SIGSTOP)
        return self._until_still(wait_seconds)

    def _until_still(self, seconds: float) -> bool:
        """Looks without a pause, because threads stop within microseconds and any sleep takes longer."""
        moving = set(self._known) | _members(self._groups)
        until = time.perf_counter() + seconds
        while moving := {pid for pid in moving if not _stands_still(pid)}:
            if time.perf_counter() > until:
                return False
        return True

    def thaw(self) -> None:
        """SIGCONT. Idempotent; never raises."""
        with suppress(psutil.Error, OSError):
            self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, to frozen processes too. Idempotent; never raises. The processes may need a moment to be gone."""
        for _ in range(3):
            with suppress(psutil.Error, OSError):
                if not self.refresh():
                    return
                self._signal(signal.SIGKILL)

    def memory(self) -> tuple[int, int]:
        """Bytes of proportional set size (PSS), and the number of processes."""
        processes = self.refresh()
        return sum(_pss(process) for process in processes), len(processes)

    def _signal(self, number: signal.Signals) -> None:
        for group in self._groups:
            if _members({group}):
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, number)
        grouped = _members(self._groups)
        _each([process for pid, process in self._known.items() if pid not in grouped], number)

    def _unseen(self) -> list[psutil.Process]:
        """Children that left the group and are new."""
        grouped = _members(self._groups)
        new: list[psutil.Process] = []
        for process in list(self._known.values()):
            if process.pid in grouped and process.pid not in self._groups:
                continue
            for child in _children(process):
                if child.pid not in self._known:
                    self._known[child.pid] = child
                    if child.pid not in grouped:
                        new.append(child)
        return new


def _started_on(profile: Path) -> list[psutil.Process]:
    found = []
    for on_profile in processes_on(profile):
        with suppress(psutil.Error):
            found.append(psutil.Process(on_profile.pid))
    return found


def _group(pid: int) -> int:
    """The process group; 0 when the process is gone. Never this process's own group, which a signal must not reach."""
    with suppress(ProcessLookupError):
        group = os.getpgid(pid)
        return 0 if group == os.getpgrp() else group
    return 0


def _members(groups: set[int]) -> set[int]:
    return {pid for pid in psutil.pids() if _group(pid) in groups} if groups else set()


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def _stands_still(pid: int) -> bool:
    """Whether every thread of the process is stopped or dead, or the process gone."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (fast: the browser stands still)
    except OSError:
        return True
    return all(_state(f"/proc/{pid}/task/{task}/stat") in _STILL for task in tasks)


def _state(stat: str) -> str:
    """The state in a line of /proc/<pid>/stat (proc_pid_stat(5)). The name before it may hold brackets and blanks."""
    try:
        with open(stat, "rb", buffering=0) as file:  # noqa: PTH123
            return chr(file.read(512).rpartition(b")")[2].split()[0][0])
    except (OSError, IndexError):
        return "X"


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _each(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.Error, *_GONE):
            process.send_signal(number)


def _pss(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        memory = process.memory_full_info()
        return int(getattr(memory, "pss", 0) or memory.rss)
    return 0
