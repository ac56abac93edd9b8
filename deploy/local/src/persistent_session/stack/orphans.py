"""Processes whose parent died under the supervisor, such as the browser of a killed worker.

As their sub-reaper the supervisor inherits them; it gives them a moment to end by themselves (a watchdog may be at
work), then kills and buries them. Trap: only Linux knows sub-reapers; elsewhere the next start finds them by the mark.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Collection

import psutil

_PR_SET_CHILD_SUBREAPER = 36


def adopt() -> None:
    """Become the parent of every orphan below this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def present(known: Collection[int]) -> list[psutil.Process]:
    """Our children that we did not start; those that have ended are buried on the way."""
    try:
        children = psutil.Process().children()
    except psutil.Error:
        return []
    strangers = [child for child in children if child.pid not in known]
    return [child for child in strangers if not _bury(child.pid)]


def _bury(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def kill(orphans: list[psutil.Process]) -> None:
    """Kill them and everything below them."""
    for orphan in orphans:
        try:
            family = [*orphan.children(recursive=True), orphan]
        except psutil.Error:
            family = [orphan]
        for process in family:
            try:
                process.kill()
            except psutil.Error:
                continue
