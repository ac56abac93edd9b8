"""Heartbeats: sent often, never acknowledged."""

from __future__ import annotations

from .message import Instant, Message


class WorkerHeartbeat(Message, frozen=True, kw_only=True, tag="wa.worker.v1.heartbeat"):
    """Every 2 s from each worker, with or without sessions."""

    worker: str
    at: Instant
    sessions: tuple[str, ...] = ()
    free_capacity: int = 0
    """How many more sessions the worker takes."""
    memory_bytes: int = 0
    uptime_seconds: float = 0.0
    disk_free_bytes: int = 0
    command_key: str = ""
    """Private commands to the sessions of this process are encrypted for this key: X25519, base64, fresh in
    every process."""


class BackupHeartbeat(Message, frozen=True, kw_only=True, tag="wa.backup.v1.heartbeat"):
    """Every 5 s from each backup replica. `store_ok`: whether the object store answered the replica's newest probe."""

    instance: str
    at: Instant
    store_ok: bool
    store_error: str = ""
    uptime_seconds: float = 0.0
