"""Every socket that some processes listen on, as the kernel lists them. Linux only."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

_ACCEPTS = 0x10000
"""__SO_ACCEPTCON, in the flags of /proc/net/unix."""


@dataclass(frozen=True, order=True)
class Listener:
    """`port` is 0 and `address` a path for a unix socket; a path that begins with @ is an abstract name."""

    kind: Literal["tcp", "udp", "unix"]
    address: str
    port: int
    pid: int
    program: str


def listeners(processes: Iterable[psutil.Process]) -> list[Listener]:
    """TCP and unix sockets that accept connections, and UDP sockets that take packets from anybody."""
    accepting = dict(_accepting_unix_sockets())
    return sorted({found for process in processes for found in _listeners_of(process, accepting)})


def is_open_to_others(path: str) -> bool:
    """Whether another user may connect to the unix socket. An abstract name has no mode, so everybody may."""
    if path.startswith("@"):
        return True
    place = Path(path)
    if not place.stat().st_mode & stat.S_IWOTH:
        return False
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in place.parents)


def _listeners_of(process: psutil.Process, accepting: dict[str, str]) -> Iterator[Listener]:
    with suppress(psutil.Error, OSError):  # ended since
        program = process.name()
        for each in process.net_connections("inet"):
            if each.status == psutil.CONN_LISTEN:
                yield Listener("tcp", each.laddr.ip, each.laddr.port, process.pid, program)
            elif each.type == socket.SOCK_DGRAM and each.laddr and not each.raddr:
                yield Listener("udp", each.laddr.ip, each.laddr.port, process.pid, program)
        for inode in _sockets_of(process.pid):
            if inode in accepting:
                yield Listener("unix", _absolute(accepting[inode], process), 0, process.pid, program)


def _absolute(path: str, process: psutil.Process) -> str:
    """A relative path begins at the folder in which the process bound it, which is where it still works."""
    return path if path.startswith(("/", "@")) else str(Path(process.cwd()) / path)


def _accepting_unix_sockets() -> Iterator[tuple[str, str]]:
    """(inode, path)"""
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        _, _, _, flags, _, _, inode, *path = line.split(maxsplit=7)
        if int(flags, 16) & _ACCEPTS:
            yield inode, path[0] if path else ""


def _sockets_of(pid: int) -> Iterator[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = str(entry.readlink())
            if target.startswith("socket:["):
                yield target.removeprefix("socket:[").removesuffix("]")
