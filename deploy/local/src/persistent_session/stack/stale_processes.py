"""Stale processes: those that a killed run left behind. A start finds and ends them before it starts its own.

Two traces lead to them: the processes that the run recorded, and the mark that each process carries in its environment,
for example a browser that has left the process group of its worker. The trap: a recorded process id may belong to
another program by now, so it counts only together with the start time of its process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import psutil

from persistent_session.data_folder import DataFolder
from persistent_session.stack.plan import MARK
from persistent_session.stack.private_file import write_private

_SAME_START_SECONDS = 0.05
_KILLED_SECONDS = 3.0
"""How long the kernel may take to end a killed process."""


def record(data: DataFolder, pids: Iterable[int]) -> None:
    """Record the processes that run now, so that a later start can end them."""
    started = {}
    for pid in pids:
        try:
            started[str(pid)] = psutil.Process(pid).create_time()
        except psutil.Error:
            continue
    write_private(data.processes, json.dumps(started))


def remove_record(data: DataFolder) -> None:
    data.processes.unlink(missing_ok=True)


def find(data: DataFolder) -> list[psutil.Process]:
    """The processes that still run of a system on the data folder; never the caller nor its ancestors."""
    spared = _caller_and_ancestors()
    found = {process.pid: process for process in (*_recorded(data), *_marked(data))}
    return [process for pid, process in sorted(found.items()) if pid not in spared]


def end(processes: list[psutil.Process], *, seconds: float) -> int:
    """Terminate the processes, and kill those that still run after `seconds`. The number of processes ended."""
    for process in processes:
        _send(process, kill=False)
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    for process in alive:
        _send(process, kill=True)
    psutil.wait_procs(alive, timeout=_KILLED_SECONDS)
    return len(processes)


def _send(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.Error:
        return


def _caller_and_ancestors() -> set[int]:
    caller = psutil.Process()
    return {caller.pid, *(parent.pid for parent in caller.parents())}


def _recorded(data: DataFolder) -> list[psutil.Process]:
    try:
        records = json.loads(data.processes.read_text())
    except (OSError, ValueError):
        return []
    if not isinstance(records, dict):
        return []
    return [process for pid, start in records.items() if (process := _started_at(str(pid), start))]


def _started_at(pid: str, start: object) -> psutil.Process | None:
    """The process `pid` if it started at `start` and still runs."""
    try:
        process = psutil.Process(int(pid))
        same = isinstance(start, float) and abs(process.create_time() - start) < _SAME_START_SECONDS
    except (ValueError, psutil.Error):
        return None
    return process if same and process.status() != psutil.STATUS_ZOMBIE else None


def _marked(data: DataFolder) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(data.path) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
