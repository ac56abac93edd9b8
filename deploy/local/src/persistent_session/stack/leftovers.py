"""Processes of a run that was killed: found by what was recorded and by the mark in their environment, then ended.

A process id alone proves nothing, for it may be somebody else's by now: a record counts only with its start time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import psutil

from persistent_session.stack.holding import write_private
from persistent_session.stack.plan import MARK

_FILE = "processes.json"
_SAME_START_SECONDS = 0.05


def record(run_dir: Path, pids: Iterable[int]) -> None:
    """Write down who runs, so that a later start can end them."""
    found = {}
    for pid in pids:
        try:
            found[str(pid)] = psutil.Process(pid).create_time()
        except psutil.Error:
            continue
    write_private(run_dir / _FILE, found)


def forget(run_dir: Path) -> None:
    (run_dir / _FILE).unlink(missing_ok=True)


def find(data_dir: Path) -> list[psutil.Process]:
    """What still runs of a system on `data_dir`; never the caller or what started it."""
    spared = _ourselves()
    found = {process.pid: process for process in (*_recorded(data_dir / "run"), *_marked(data_dir))}
    return [process for pid, process in sorted(found.items()) if pid not in spared]


def end(processes: list[psutil.Process], *, patience: float) -> int:
    """Ask, wait up to `patience` seconds, then kill. The number of processes ended."""
    for process in processes:
        _send(process, kill=False)
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        _send(process, kill=True)
    psutil.wait_procs(alive, timeout=3)
    return len(processes)


def _send(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.Error:
        return


def _ourselves() -> set[int]:
    me = psutil.Process()
    return {me.pid, *(parent.pid for parent in me.parents())}


def _recorded(run_dir: Path) -> list[psutil.Process]:
    try:
        records = json.loads((run_dir / _FILE).read_text())
    except (OSError, ValueError):
        return []
    if not isinstance(records, dict):
        return []
    return [process for pid, start in records.items() if (process := _same(str(pid), start))]


def _same(pid: str, start: object) -> psutil.Process | None:
    try:
        process = psutil.Process(int(pid))
        same = isinstance(start, float) and abs(process.create_time() - start) < _SAME_START_SECONDS
    except (ValueError, psutil.Error):
        return None
    return process if same and process.status() != psutil.STATUS_ZOMBIE else None


def _marked(data_dir: Path) -> list[psutil.Process]:
    """Browsers leave the process group of their worker, but not its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(data_dir) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
