"""A session: the desired state that people ask for, and the status that its owner observes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from .message import Instant, Message


class DesiredState(StrEnum):
    """What people want of a session; on the bus plain text, read with `DesiredState.read`."""

    RUNNING = "running"
    STOPPED = "stopped"
    CLEARED = "cleared"

    @classmethod
    def read(cls, text: str) -> DesiredState | None:
        """None for a desired state of a newer version: a reader does nothing about it."""
        try:
            return cls(text)
        except ValueError:
            return None


class State(StrEnum):
    """The states of a session; plain text on the bus, read with `State.read`."""

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


class Reason(StrEnum):
    """Why a session is in its state; plain text on the bus, read with `Reason.read`.

    Readers decide by these names and never by parts of their text.
    """

    NOT_STARTED = "not_started"
    FINDING_PROFILE = "finding_profile"
    PROFILE_UNREADABLE = "profile_unreadable"
    """The disk gave an error: nothing is known of the profile."""
    PROFILE_IN_USE = "profile_in_use"
    """Another program runs a browser on the profile."""
    NO_PROFILE = "no_profile"
    PROFILE_DAMAGED = "profile_damaged"
    OWNED_ELSEWHERE = "owned_elsewhere"
    """Another worker has owned the session since this profile was used."""
    LOGIN_LOST = "login_lost"
    """The page shows a QR although a login is known to exist."""
    RESTORE_REQUESTED = "restore_requested"
    """A person or a rung of the ladder asked for a restore."""
    STORE_UNREACHABLE = "store_unreachable"
    """The object store cannot be asked: whether a backup exists is unknown."""
    TOMBSTONE_UNVERIFIED = "tombstone_unverified"
    """Whether the session was cleared is unknown: a person must say which backup may be restored."""
    RESTORE_FAILED = "restore_failed"
    RESTORED = "restored"
    NOTHING_TO_RESTORE = "nothing_to_restore"
    KEPT_PROFILE = "kept_profile"
    """No copy could be put in place, and the present profile is sound."""
    LOGIN_GONE = "login_gone"
    """Several good copies were restored, and none of them is logged in any more."""
    BROWSER_TOO_OLD = "browser_too_old"
    LAUNCHING = "launching"
    SCAN_THE_QR = "scan_the_qr"
    WAITING_FOR_NETWORK = "waiting_for_network"
    LINKING = "linking"
    SYNCING = "syncing"
    SEALING = "sealing"
    SEALED = "sealed"
    CONNECTED = "connected"
    OFFLINE = "offline"
    BROWSER_GONE = "browser_gone"
    BROWSER_HANGS = "browser_hangs"
    LAUNCH_FAILED = "launch_failed"
    PAGE_SILENT = "page_silent"
    PAGE_ELSEWHERE = "page_elsewhere"
    """The page showed something other than WhatsApp Web."""
    CANNOT_RECONNECT = "cannot_reconnect"
    OPEN_ELSEWHERE = "open_elsewhere"
    TAKING_OVER = "taking_over"
    UNLINKED_BY_PHONE = "unlinked_by_phone"
    BANNED = "banned"
    TERMS_NOT_ACCEPTED = "terms_not_accepted"
    """WhatsApp's TOS_BLOCK and SMB_TOS_BLOCK."""
    NETWORK_REFUSED = "network_refused"
    """WhatsApp's PROXYBLOCK."""
    PAGE_OUTDATED = "page_outdated"
    """WhatsApp's DEPRECATED_VERSION."""
    UNKNOWN_DIALOG = "unknown_dialog"
    REINITIALIZING = "reinitializing"
    STOPPED = "stopped"
    CLEARED = "cleared"
    LEASE_LOST = "lease_lost"
    UNKNOWN = "unknown"
    """A reason that this version does not know."""

    @classmethod
    def read(cls, text: str) -> Reason:
        try:
            return cls(text)
        except ValueError:
            return cls.UNKNOWN


INITIALIZING = frozenset({State.STARTING, State.RESTORING, State.PAIRING, State.SYNCING})
"""States that the old clients know as `isInitializing`."""


class SessionRecord(Message, frozen=True, kw_only=True, tag="wa.session.v1.record"):
    """The desired state, in SESSIONS_BUCKET under the session's id. `desired`: a DesiredState."""

    session: str
    desired: str
    requested_at: Instant
    request: int = 1
    """Grows with each request, so that a second `clear` or `initialize` is seen although `desired` is the same."""

    def is_before(self, known: SessionRecord) -> bool:
        """An earlier record that came back. A lower number alone proves nothing: after NATS has lost its data, and the
        gateway with it, the numbers begin anew."""
        return self.request < known.request and self.requested_at < known.requested_at


class LeaseRecord(Message, frozen=True, kw_only=True, tag="wa.session.v1.lease"):
    """Who owns a session, in LEASES_BUCKET. `nonce` distinguishes two processes of the same worker."""

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
    pairing_code: str | None = None
    pairing_code_at: Instant | None = None


class ProfileStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The profile on disk. `bytes` includes the caches."""

    exists: bool = False
    valid: bool = False
    bytes: int = 0
    modified_at: Instant | None = None
    validated_at: Instant | None = None
    critical_files: tuple[str, ...] = ()
    missing_files: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class SavesStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The saves under BACKUP_SESSION_PATH. `pause_ms`: how long the browser stood still for the newest save."""

    count: int = 0
    newest_at: Instant | None = None
    newest_bytes: int = 0
    bytes: int = 0
    pause_ms: float = 0.0
    last_error: str = ""


class BackupsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The backups off-site, as the object store showed them at `seen_at`. `known` is false until the backup service has
    answered once, and again when its newest answer is old; the other fields then say what was known last."""

    known: bool = False
    seen_at: Instant | None = None
    count: int = 0
    newest_id: str = ""
    newest_at: Instant | None = None
    newest_bytes: int = 0
    stored_bytes: int = 0
    last_attempt_at: Instant | None = None
    last_error: str = ""


class BrowserStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The browser and the page. Memory is PSS in bytes. `tier`: how the state was read (wa-js, modules, dom)."""

    version: str = ""
    memory_bytes: int = 0
    processes: int = 0
    started_at: Instant | None = None
    connected_after_ms: float = 0.0
    """Time from the launch of the browser to connected, at the newest start."""
    page_version: str = ""
    wa_js_version: str = ""
    tier: str = ""
    read_ok: bool = False
    send_ok: bool = False
    missing_lookups: tuple[str, ...] = ()
    refused: int = 0
    """How often the browser was kept from something since it started: a host, a navigation, a second tab."""
    refused_hosts: tuple[str, ...] = ()
    """The hosts that the page wanted and that are not on the list, at most 20."""


class SessionStatus(Message, frozen=True, kw_only=True, tag="wa.session.v1.status"):
    """The observed state, in STATUS_BUCKET. A reader drops a status whose epoch is older than one that it has seen."""

    session: str
    state: str
    reason: str
    since: Instant
    updated_at: Instant
    epoch: int
    worker: str
    sequence: int = 0
    """Grows with each status of an epoch, so that an earlier one that comes back is seen as such."""
    request: int = 0
    """The newest SessionRecord.request that has been carried out."""
    detail: str = ""
    """A sentence for people: what happens now, or what they can do."""
    account: Account | None = None
    pairing: Pairing = Pairing()
    profile: ProfileStatus = ProfileStatus()
    saves: SavesStatus = SavesStatus()
    backups: BackupsStatus = BackupsStatus()
    browser: BrowserStatus = BrowserStatus()
    reconnect_attempts: int = 0
    history: tuple[Transition, ...] = ()
    """The last 100 changes, oldest first."""
    session_path: str = ""
    saves_path: str = ""
    probed_at: Instant | None = None
    """When the page last answered a probe."""
