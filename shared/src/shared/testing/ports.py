"""Free TCP ports for programs that cannot choose one themselves."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago; another program may take it first."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ports; all are held open until the last one is known."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
