"""Orphaned processes: those whose parent died while the system runs, such as the browser of a killed worker.

The supervisor is their subreaper (`PR_SET_CHILD_SUBREAPER`): the kernel makes it their new parent. It gives an orphan a
moment to end, because a watchdog may be ending it already, then kills it. Only Linux knows subreapers; on another
system the next start finds the orphans by their mark (`stale_processes`).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Collection

import psutil

_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """From now on this process is the parent of every orphan below it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def orphans(known: Collection[int]) -> list[psutil.Process]:
    """The running children of this process that are not in `known`. Reaps those that have ended."""
    try:
        children = psutil.Process().children()
    except psutil.Error:
        return []
    unknown = [child for child in children if child.pid not in known]
    return [child for child in unknown if not _reap(child.pid)]


def _reap(pid: int) -> bool:
    """True when the process had ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def kill_trees(processes: list[psutil.Process]) -> None:
    """Kill the processes and everything below them."""
    for process in processes:
        try:
            tree = [*process.children(recursive=True), process]
        except psutil.Error:
            tree = [process]
        for member in tree:
            try:
                member.kill()
            except psutil.Error:
                continue
