"""A session as wanted (by people) and as observed (by its owner)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from .message import Instant, Message


class Wanted(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    CLEARED = "cleared"


class State(StrEnum):
    """States of a session; on the bus plain text, read with `State.read`."""

    STOPPED = "stopped"
    STARTING = "starting"
    RESTORING = "restoring"
    PAIRING = "pairing"
    SYNCING = "syncing"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    CONFLICT = "conflict"
    LOGGED_OUT = "logged_out"
    NEEDS_ATTENTION = "needs_attention"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @classmethod
    def read(cls, text: str) -> State:
        try:
            return cls(text)
        except ValueError:
            return cls.UNKNOWN


INITIALIZING = frozenset({State.STARTING, State.RESTORING, State.PAIRING, State.SYNCING})
"""States that the old clients know as `isInitializing`."""


class SessionRecord(Message, frozen=True, kw_only=True, tag="wa.session.v1.record"):
    """Wanted state, in the bucket wa-sessions under the session's id."""

    session: str
    wanted: str
    requested_at: Instant
    request: int = 1
    """Grows with each request, so that a second `clear` or `initialize` is seen although `wanted` is the same."""


class LeaseRecord(Message, frozen=True, kw_only=True, tag="wa.session.v1.lease"):
    """Who owns a session, in the bucket wa-leases. `nonce` tells two lives of one worker apart."""

    owner: str
    nonce: str
    epoch: int
    released: bool = False


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One change of state; `seconds` is how long the state before it lasted."""

    at: Instant
    state: str
    reason: str
    seconds: float = 0.0


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The WhatsApp account that is logged in. `number` is personal: show it to the owner, never log it."""

    number: str
    name: str = ""
    platform: str = ""


class Pairing(msgspec.Struct, frozen=True, kw_only=True):
    """What a person needs to link a phone. Short-lived secrets: never logged."""

    qr: str | None = None
    qr_at: Instant | None = None
    link_code: str | None = None
    link_code_at: Instant | None = None


class ProfileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The profile on disk. Sizes in bytes, caches included in `bytes`."""

    exists: bool = False
    valid: bool = False
    bytes: int = 0
    modified_at: Instant | None = None
    validated_at: Instant | None = None
    critical_files: tuple[str, ...] = ()
    missing_files: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class SaveFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The saves under BACKUP_SESSION_PATH. `pause_ms` is how long the browser stood still for the newest."""

    count: int = 0
    newest_at: Instant | None = None
    newest_bytes: int = 0
    bytes: int = 0
    pause_ms: float = 0.0
    last_error: str = ""


class BackupFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The backups off-site, as far as the owner knows; `known` is false until the backup service answered once."""

    known: bool = False
    count: int = 0
    newest_id: str = ""
    newest_at: Instant | None = None
    newest_bytes: int = 0
    stored_bytes: int = 0
    last_attempt_at: Instant | None = None
    last_error: str = ""


class BrowserFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The browser and the page. Memory is PSS in bytes; `tier` tells how the state was read (wa-js, modules, dom)."""

    version: str = ""
    memory_bytes: int = 0
    processes: int = 0
    started_at: Instant | None = None
    connected_after_ms: float = 0.0
    """From launching the browser to connected, at the newest start."""
    page_version: str = ""
    wa_js_version: str = ""
    tier: str = ""
    read_ok: bool = False
    send_ok: bool = False
    missing_lookups: tuple[str, ...] = ()


class SessionStatus(Message, frozen=True, kw_only=True, tag="wa.session.v1.status"):
    """Observed state, in the bucket wa-status. A reader drops one whose epoch is older than one it has seen."""

    session: str
    state: str
    reason: str
    since: Instant
    updated_at: Instant
    epoch: int
    worker: str
    request: int = 0
    """The newest SessionRecord.request that has been carried out."""
    detail: str = ""
    """A sentence for people: what happens now, or what to do."""
    account: Account | None = None
    pairing: Pairing = Pairing()
    profile: ProfileFacts = ProfileFacts()
    saves: SaveFacts = SaveFacts()
    backups: BackupFacts = BackupFacts()
    browser: BrowserFacts = BrowserFacts()
    reconnect_attempts: int = 0
    history: tuple[Transition, ...] = ()
    """The last 100 changes, oldest first."""
    session_path: str = ""
    backup_path: str = ""
    probed_at: Instant | None = None
    """When the page last answered a probe."""
