"""Ports of this machine: which are free, which we had, who holds one.

Ours lie below the range that the kernel hands to outgoing connections, so that a stopped server finds its port free
when it comes back. Trap: a free port is only a likelihood until somebody listens on it.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

FIRST, LAST = 20_000, 22_700
"""SeaweedFS derives one port by adding 10000, which must stay below the kernel's range (32768 and up) too."""
DERIVED = 10_000


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
    """Who listens on `port`, such as `nginx (pid 812)`; "" when that cannot be seen."""
    try:
        listening = [c for c in psutil.net_connections(kind="tcp") if c.status == psutil.CONN_LISTEN]
        pid = next((c.pid for c in listening if c.laddr and c.laddr.port == port and c.pid), None)
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else ""
    except psutil.Error:
        return ""


def next_free(after: int, host: str = "127.0.0.1") -> int:
    """A free port above `after`, to suggest; 0 when none is near."""
    return next((port for port in range(after + 1, min(after + 200, 65536)) if is_free(port, host)), 0)


def choose(names: Iterable[str], kept: dict[str, int], *, avoid: Iterable[int] = ()) -> dict[str, int]:
    """A port for each name: the kept one where it is still free, else a new one, all different."""
    taken: set[int] = set(avoid)
    chosen: dict[str, int] = {}
    for name in names:
        port = kept.get(name, 0)
        if port in taken or not _usable(port):
            port = _new(taken)
        chosen[name] = port
        taken.update({port, port + DERIVED})
    return chosen


def _new(taken: set[int]) -> int:
    candidates = [port for port in range(FIRST, LAST) if port not in taken and port + DERIVED not in taken]
    random.shuffle(candidates)
    return next(port for port in candidates if _usable(port))


def _usable(port: int) -> bool:
    return 0 < port < 65536 - DERIVED and is_free(port) and is_free(port + DERIVED)


def read_kept(path: Path) -> dict[str, int]:
    """What an earlier run chose; nothing when the file is absent or unreadable."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): port for name, port in found.items() if isinstance(port, int)}


def keep(path: Path, ports: dict[str, int]) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(ports, indent=1))
    draft.replace(path)
