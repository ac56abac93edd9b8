"""Ports of this machine: free ports, the ports of the earlier run, the program that listens on a port.

The chosen ports lie below the range that the kernel gives to outgoing connections, so a stopped server finds its port
free when it starts again. The trap: a port looks free until its server listens, seconds after it was chosen, and a
system that starts in these seconds would choose it too. So a system reserves its ports.
"""

from __future__ import annotations

import json
import random
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from persistent_session.stack.private_file import write_private

FIRST, LAST = 20_000, 22_700
DERIVED = 10_000
"""SeaweedFS derives one port by adding this number; Linux gives ports from 32768 to outgoing connections."""
_SUGGESTED_WITHIN = 200


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def holder(port: int) -> str:
    """The program that listens on `port`, such as `nginx (pid 812)`; "" when this user cannot see it."""
    try:
        listening = [c for c in psutil.net_connections(kind="tcp") if c.status == psutil.CONN_LISTEN]
        pid = next((c.pid for c in listening if c.laddr and c.laddr.port == port and c.pid), None)
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else ""
    except psutil.Error:
        return ""


def next_free(after: int, host: str = "127.0.0.1") -> int:
    """A free port above `after`, as a suggestion; 0 when no near port is free."""
    candidates = range(after + 1, min(after + _SUGGESTED_WITHIN, 65536))
    return next((port for port in candidates if is_free(port, host)), 0)


class Reservations:
    """The ports that no other system on this machine may choose, until the context or this process ends.

    A reservation is a unix socket of an abstract name: the kernel allows each name once in a network namespace, which
    is the scope of a port, and takes it back when the process dies. Nobody can connect to it, because it does not
    listen. Only Linux knows abstract names; elsewhere nothing is reserved.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def take(self, port: int) -> bool:
        """False when another system holds the port. Idempotent."""
        if port in self._held or sys.platform != "linux":
            return True
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            held.bind(f"\0persistent-session-port-{port}")
        except OSError:
            held.close()
            return False
        self._held[port] = held
        return True

    def __enter__(self) -> Reservations:
        return self

    def __exit__(self, *_: object) -> None:
        while self._held:
            self._held.popitem()[1].close()


def choose(
    names: Iterable[str], earlier: Mapping[str, int], reservations: Reservations, *, avoid: Iterable[int] = ()
) -> dict[str, int]:
    """A reserved port for each name, all different: the port of the earlier run where it is still free, else a new
    one."""
    taken: set[int] = set(avoid)
    chosen: dict[str, int] = {}
    for name in names:
        port = earlier.get(name, 0)
        if port in taken or not _usable(port) or not reservations.take(port):
            port = _new(taken, reservations)
        chosen[name] = port
        taken.update({port, port + DERIVED})
    return chosen


def _new(taken: set[int], reservations: Reservations) -> int:
    candidates = [port for port in range(FIRST, LAST) if port not in taken and port + DERIVED not in taken]
    random.shuffle(candidates)
    return next(port for port in candidates if _usable(port) and reservations.take(port))


def _usable(port: int) -> bool:
    return 0 < port < 65536 - DERIVED and is_free(port) and is_free(port + DERIVED)


def read(path: Path) -> dict[str, int]:
    """The ports of the earlier run; empty when the file is absent or unreadable."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): port for name, port in found.items() if isinstance(port, int)}


def write(path: Path, ports: Mapping[str, int]) -> None:
    write_private(path, json.dumps(ports, indent=1))
