"""The connections that an egress proxy holds for a browser, cut from outside when the worker hangs.

A browser that is killed closes its own connections, but those to the site belong to the proxy, and so to the worker. A
worker that hangs closes none, and the site would see the login of the next owner as a second one. The watchdog
therefore takes the worker's marked sockets (`pidfd_getfd`, Linux 5.6) and shuts them: a shut socket is shut for every
process that holds it.

A kernel or a container that forbids this leaves the connections open until the worker goes on or dies. No browser is
behind them.
"""

from __future__ import annotations

import ctypes
import os
import socket
from contextlib import suppress
from pathlib import Path

_MARK = 6
"""As SO_PRIORITY, which nothing else of the worker sets. Higher numbers need a privilege."""
_PIDFD_GETFD = 438
"""The same on every architecture: https://man7.org/linux/man-pages/man2/pidfd_getfd.2.html"""
_PR_SET_PTRACER = 0x59616D61
_libc = ctypes.CDLL(None, use_errno=True)


def mark(connection: socket.socket) -> None:
    if hasattr(socket, "SO_PRIORITY"):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _MARK)


def let_cut(process: int) -> None:
    """Let the process `process` cut the connections of this one, where the kernel lets only parents do so (Yama)."""
    with suppress(AttributeError):
        _libc.prctl(_PR_SET_PTRACER, process, 0, 0, 0)


def cut(process: int) -> None:
    """Shut every marked connection of the process. Never raises."""
    with suppress(OSError, AttributeError):
        handle = os.pidfd_open(process)
        try:
            for descriptor in _sockets(process):
                _cut(handle, descriptor)
        finally:
            os.close(handle)


def _sockets(process: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            if str(path.readlink()).startswith("socket:"):
                found.append(int(path.name))
    return found


def _cut(handle: int, descriptor: int) -> None:
    taken = _libc.syscall(_PIDFD_GETFD, handle, descriptor, 0)
    if taken < 0:
        return
    with socket.socket(fileno=taken) as connection, suppress(OSError):
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY) == _MARK:
            connection.shutdown(socket.SHUT_RDWR)
