"""Every limit of the checks, with its unit and its reason.

Intervals of other services are here too: how late something is depends on how often it should come.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """The end of a name gives its unit: seconds or megabytes. A factor multiplies an interval; the rest are counts."""

    max_session_size_mb: int = 150
    session_timeout_seconds: float = 45.0
    max_reconnect_attempts: int = 5
    backup_interval_seconds: float = 300.0
    save_interval_seconds: float = 120.0
    validation_interval_seconds: float = 60.0

    memory_warning_mb: int = 700
    memory_critical_mb: int = 1200
    disk_warning_mb: int = 1024
    disk_critical_mb: int = 256

    grace_seconds: float = 10.0
    """After the service begins to listen, silence is unknown for this long: heartbeats come every 2 to 5 s."""
    worker_silent_seconds: float = 6.0
    """Three missed heartbeats; as long as a lease lives."""
    takeover_seconds: float = 20.0
    """Within this time another worker should take over a silent worker's session."""
    backup_silent_seconds: float = 15.0
    """Three missed heartbeats of a backup replica."""
    store_down_critical_seconds: float = 600.0
    """Two missed backups."""
    probe_warning_seconds: float = 60.0
    probe_critical_seconds: float = 90.0
    """A renderer that hangs must be found within 90 s."""
    stale_warning_seconds: float = 60.0
    stale_critical_seconds: float = 180.0
    reconnecting_critical_seconds: float = 120.0
    """About the first five attempts with their growing delay."""
    slow_start_factor: float = 4.0
    """A start may take this many session timeouts before it is critical, because it contains retries."""
    restoring_critical_seconds: float = 600.0
    unclaimed_critical_seconds: float = 60.0
    no_backup_critical_seconds: float = 600.0
    backup_warning_factor: float = 3.0
    backup_critical_factor: float = 12.0
    listing_factor: float = 3.0
    """An answer of the object store that is older than this many intervals of backups says nothing any more."""
    intrusion_seconds: float = 3600.0
    """What others did to the object store stays an issue for this long: long enough for a person to see it."""
    save_warning_factor: float = 3.0
    save_critical_factor: float = 15.0
    validation_factor: float = 3.0
    takeover_window_seconds: float = 600.0
    takeovers_allowed: int = 3
    gateway_answer_seconds: float = 1.0
    """Within this time a page feels alive; old clients give up after five seconds."""
    gateway_late_warning_seconds: float = 10.0
    """Three late answers."""
    gateway_silent_critical_seconds: float = 30.0
    gateway_answer_old_seconds: float = 20.0
    """Older answers say nothing: the health service asks every five seconds."""
    jetstream_used_warning: float = 0.85
    """Share of the storage that JetStream may use."""
