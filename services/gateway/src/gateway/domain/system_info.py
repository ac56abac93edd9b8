"""What the gateway reports of its own process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SystemInfo:
    """`memory` in bytes by name, `uptime` in seconds. Readers see the two paths until a worker reports its own."""

    session_path: str
    backup_path: str
    is_railway: bool
    version: str
    memory: Mapping[str, int]
    uptime: float
    bus_connected: bool
