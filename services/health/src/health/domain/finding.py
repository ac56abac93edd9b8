"""What a check is, what it finds, and the names of all checks and problems.

Rules ask for a problem by its member and never by a text, so a rule cannot wait for a problem that no check knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .case import Case
from .levels import Level
from .localized_text import LocalizedText
from .thresholds import Thresholds


class CheckCode(StrEnum):
    """Stable: dashboards, the gateway and people name a check by its code."""

    CONNECTION = "WA-CONNECTION"
    PROBE = "WA-PROBE"
    STALE = "WA-STALE"
    RECONNECTS = "WA-RECONNECTS"
    SIZE = "WA-SIZE"
    FILES = "WA-FILES"
    PROFILE = "WA-PROFILE"
    BACKUP = "WA-BACKUP"
    SAVE = "WA-SAVE"
    MEMORY = "WA-MEMORY"
    SELFCHECK = "WA-SELFCHECK"
    WORKER = "WA-WORKER"
    STORE = "WA-STORE"
    OWNERS = "WA-OWNERS"
    DISK = "WA-DISK"
    NATS = "WA-NATS"


class Problem(StrEnum):
    """What can be wrong. Each problem belongs to one check; `_long` is the same problem once it is critical."""

    # WA-CONNECTION
    NEVER_STARTED = "never_started"
    STOPPED = "stopped"
    CLEARED = "cleared"
    STOPPING = "stopping"
    NOT_HEARD_YET = "not_heard_yet"
    UNCLAIMED = "unclaimed"
    STARTING = "starting"
    STARTING_LONG = "starting_long"
    RESTORING = "restoring"
    RESTORING_LONG = "restoring_long"
    WAITING_FOR_STORE = "waiting_for_store"
    WAITING_FOR_STORE_LONG = "waiting_for_store_long"
    PAIRING = "pairing"
    SYNCING = "syncing"
    SYNCING_LONG = "syncing_long"
    RECONNECTING = "reconnecting"
    RECONNECTING_LONG = "reconnecting_long"
    CONFLICT = "conflict"
    LOGGED_OUT = "logged_out"
    SHOULD_RUN = "should_run"
    SHOULD_RUN_LONG = "should_run_long"
    NEEDS_ATTENTION = "needs_attention"
    FAILED = "failed"
    UNKNOWN_STATE = "unknown_state"
    BANNED = "banned"
    TERMS = "terms"
    NETWORK = "network"
    PAGE_OUTDATED = "page_outdated"
    DIALOG = "dialog"
    PROFILE_IN_USE = "profile_in_use"
    BROWSER_OUTDATED = "browser_outdated"
    # WA-PROBE, WA-STALE, WA-RECONNECTS
    SILENT_PAGE = "silent_page"
    STALE_STATUS = "stale_status"
    MANY_ATTEMPTS = "many_attempts"
    # WA-SIZE, WA-FILES, WA-PROFILE
    LARGE_PROFILE = "large_profile"
    MISSING_FILES = "missing_files"
    MISSING_PROFILE = "missing_profile"
    DAMAGED_PROFILE = "damaged_profile"
    NOT_VALIDATED = "not_validated"
    # WA-BACKUP, WA-SAVE
    NO_BACKUP = "no_backup"
    OLD_BACKUP = "old_backup"
    NO_SAVE = "no_save"
    OLD_SAVE = "old_save"
    # WA-MEMORY, WA-SELFCHECK
    MUCH_MEMORY = "much_memory"
    CANNOT_READ = "cannot_read"
    CANNOT_SEND = "cannot_send"
    # WA-WORKER
    NO_WORKER = "no_worker"
    SILENT_OWNER = "silent_owner"
    NO_CAPACITY = "no_capacity"
    # WA-STORE
    NO_BACKUP_SERVICE = "no_backup_service"
    STORE_DOWN = "store_down"
    # WA-OWNERS
    TWO_OWNERS = "two_owners"
    LATE_OWNER = "late_owner"
    MANY_TAKEOVERS = "many_takeovers"
    # WA-DISK
    LITTLE_DISK = "little_disk"
    # WA-NATS
    BUS_LOST = "bus_lost"
    MONITOR_SILENT = "monitor_silent"
    NO_JETSTREAM = "no_jetstream"
    JETSTREAM_FULL = "jetstream_full"
    SLOW_CONSUMERS = "slow_consumers"


@dataclass(frozen=True)
class Finding:
    level: Level
    value: str = ""
    limit: str = ""
    problem: Problem | None = None
    """Present exactly where the level is bad."""
    text: LocalizedText | None = None
    """What is wrong. Present exactly where the level is bad."""
    began: datetime | None = None
    """Since when the problem stands, where the check itself can tell."""


def healthy(value: str = "", limit: str = "") -> Finding:
    return Finding(Level.HEALTHY, value, limit)


def unknown(value: str) -> Finding:
    """Not judged; `value` says why."""
    return Finding(Level.UNKNOWN, value)


@dataclass(frozen=True)
class Check:
    """One row of the table of checks."""

    code: CheckCode
    title: LocalizedText
    meaning: LocalizedText
    remedy: LocalizedText
    limits: Callable[[Thresholds], str]
    """The check's limits in a sentence for people."""
    examine: Callable[[Case], Finding]
    critical_at_rest: bool = False
    """Whether the check may be critical for a session that is not meant to run."""
