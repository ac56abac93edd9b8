"""What the worker's core needs from the world, named by need and not by technique. Adapters fulfil these Protocols.

Timeouts are in seconds, sizes in bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from shared.contracts.backups import Backups, BackupTrigger, EpochClaimed, Stored
from shared.contracts.commands import BackedUp, Checked, PairingCode, SendResult
from shared.contracts.sessions import ProfileStatus
from shared.contracts.snapshots import SnapshotManifest

from .domain.egress import Refusal
from .domain.reading import LocalStorageExport, Reading, SelfCheck, SendOutcome
from .domain.session import DurableRecord


class BrowserGone(Exception):
    """The browser or its page is not there any more (crashed, closed, killed)."""


class BrowserHangs(Exception):
    """The browser did not answer within the timeout; it is still there."""


class PageElsewhere(BrowserHangs):
    """The page shows something other than the site. Nothing was read from it, and nothing done on it."""


@dataclass(frozen=True)
class BrowserMeasure:
    """`memory_bytes` is the PSS of all processes of this browser; `refused` counts what the browser was kept from since
    it started, and `refused_hosts` names the hosts that the page wanted."""

    version: str
    memory_bytes: int
    processes: int
    refused: int = 0
    refused_hosts: tuple[str, ...] = ()


class Browser(Protocol):
    """One browser on one profile. Every call ends within its timeout, and raises BrowserHangs or BrowserGone."""

    async def launch(self, profile: Path, local_storage: LocalStorageExport | None) -> None:
        """Start the browser on `profile` and open the page. Browsers that are left on this profile end first: the
        caller holds the profile's lock, so nobody owns them."""
        ...

    async def version(self) -> str:
        """The full version of the browser that `launch` would start or has started, such as 156.0.8078.79."""
        ...

    def on_wake(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the page pushes an event or the browser ends. It is a reason to read again, no more."""
        ...

    @property
    def alive(self) -> bool: ...
    async def read(self) -> Reading:
        """What the page shows. Whatever the page shows is an answer; raises only BrowserGone and BrowserHangs."""
        ...

    async def self_check(self) -> SelfCheck: ...
    async def reload(self) -> None: ...
    async def reopen_page(self) -> None:
        """Open a new page in the same browser and close the old one, which makes localStorage reach the disk."""
        ...

    async def refresh_qr(self) -> None: ...
    async def pairing_code(self, number: str) -> str: ...
    async def take_over(self) -> None:
        """Answer a CONFLICT with "use here"."""
        ...

    async def dismiss_known_dialogs(self) -> None: ...
    async def new_message_id(self, number: str) -> str: ...
    async def send_text(self, number: str, text: str, message_id: str, *, timeout: float) -> SendOutcome: ...
    async def find_message(self, message_id: str) -> SendOutcome | None:
        """What became of a message; None when the page does not know it."""
        ...

    async def unlink(self) -> bool:
        """Log this device out at the phone. True when the page confirmed it."""
        ...

    async def export_local_storage(self) -> LocalStorageExport:
        """Read localStorage through the page, with the next sequence number written into it first."""
        ...

    async def screenshot(self) -> bytes: ...
    def freeze(self) -> None:
        """SIGSTOP every process of the browser. Idempotent. From any thread."""
        ...

    def thaw(self) -> None:
        """SIGCONT every process of the browser. Idempotent; never raises. From any thread."""
        ...

    async def measure(self) -> BrowserMeasure: ...
    async def close(self, *, timeout: float) -> None:
        """Close cleanly, then kill what is left."""
        ...

    def kill(self) -> None:
        """SIGKILL every process of the browser, frozen ones too. Idempotent; never raises."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """A crash-consistent copy in `folder`, checked offline. `pause_ms`: how long the browser stood still."""

    id: str
    folder: Path
    manifest: SnapshotManifest
    pause_ms: float


@dataclass(frozen=True)
class Save:
    """A snapshot kept under BACKUP_SESSION_PATH."""

    id: str
    folder: Path
    taken_at: datetime
    bytes: int
    browser_version: str


class ProfileDamaged(Exception):
    """The files are not a profile that a browser would open. The text names files, never contents."""


class BrowserTooOld(ProfileDamaged):
    """The copy was made by a newer browser: sound, but this browser would lose its IndexedDB."""


class ChunkSource(Protocol):
    """Where a restore gets its chunks from (the backup service)."""

    async def manifest(self) -> SnapshotManifest: ...
    async def chunk(self, sha256: str) -> bytes: ...


class ProfileStore(Protocol):
    """The profile of one session on disk, its saves, and the lock that lets one process touch it."""

    @property
    def profile(self) -> Path: ...

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Hold the profile. Raises Conflict when another live process holds it, or when a browser of the old system
        runs on it (its SingletonLock shows that)."""
        ...

    async def inspect(self) -> ProfileStatus:
        """Check the profile offline: essential files, LevelDB's CURRENT, MANIFEST and tables. `exists` is False when
        there is no profile, `valid` is True only when a browser would find its login. Raises OSError."""
        ...

    async def local_storage_export(self) -> LocalStorageExport | None:
        """The export that lies in the profile; None when there is none or it cannot be read."""
        ...

    async def write_local_storage_export(self, export: LocalStorageExport) -> None:
        """Write durably (fsync), by rename. Raises OSError."""
        ...

    async def snapshot(
        self,
        *,
        freeze: Callable[[], None],
        thaw: Callable[[], None],
        epoch: int,
        browser_version: str,
        page_version: str = "",
    ) -> Snapshot:
        """Freeze, clone, thaw (in `finally`), check. A failure leaves nothing behind. Raises ProfileDamaged,
        OSError."""
        ...

    async def snapshot_at_rest(self, *, epoch: int, browser_version: str) -> Snapshot:
        """Snapshot a profile that no browser runs on. Raises ProfileDamaged, OSError."""
        ...

    async def add_save(self, snapshot: Snapshot) -> Save:
        """Make the snapshot the newest save and remove saves beyond the number kept, never the newest. Raises
        OSError."""
        ...

    async def saves(self) -> list[Save]:
        """The saves that are whole, newest first."""
        ...

    async def restore_save(self, save: Save, *, browser_version: str) -> None:
        """Put a copy of `save` in place of the profile by rename; the present profile is set aside. Raises
        ProfileDamaged when the save is not whole, BrowserTooOld when a newer browser made it, OSError."""
        ...

    async def restore_backup(self, source: ChunkSource, *, browser_version: str) -> SnapshotManifest:
        """Fetch into a staging folder, verify every hash, check, swap by rename; the present profile is set aside.
        Raises ProfileDamaged, BrowserTooOld, ServiceError, OSError."""
        ...

    async def import_old_profile(self) -> bool:
        """Copy a profile of the old system if no profile exists here. False when the old system has none."""
        ...

    async def drop_set_aside(self) -> None:
        """Remove the profile that a restore set aside; called once the session is connected."""
        ...

    async def trim(self, max_bytes: int) -> int:
        """Remove the caches of a profile at rest that is larger than `max_bytes`. Gives the bytes that were freed."""
        ...

    async def set_aside(self) -> None:
        """Move the profile aside, so that a browser starts without one. Nothing is removed; without a profile nothing
        happens."""
        ...

    async def wipe(self) -> None:
        """Remove the profile, the saves, the staging and set-aside folders. Only a `clear` calls this. Raises
        OSError."""
        ...

    async def read_chunk(self, snapshot_id: str, sha256: str) -> bytes:
        """A chunk of the snapshot on offer. Raises NotFound."""
        ...

    def offer(self, snapshot: Snapshot) -> AbstractAsyncContextManager[tuple[str, ...]]:
        """The snapshot can be read by `read_chunk` while the context is open. Gives the chunks of its manifest, which
        is zstd-compressed JSON."""
        ...

    async def saves_bytes(self) -> int: ...


class BackupService(Protocol):
    """The object store, as one session's owner sees it through the backup service. Every error is a ServiceError;
    NotRunning, Unavailable and TimedOut mean *unknown*, never *absent*."""

    async def claim_epoch(self, *, owner: str, nonce: str, at_least: int) -> EpochClaimed: ...
    async def store(
        self, snapshot: Snapshot, manifest_chunks: tuple[str, ...], *, epoch: int, trigger: BackupTrigger
    ) -> Stored: ...
    async def backups(self, *, for_a_person: bool = False) -> Backups:
        """`for_a_person`: also when it is unknown which backups were cleared."""
        ...

    def source(self, backup_id: str) -> ChunkSource: ...
    async def tombstone(self, *, epoch: int) -> None: ...


class Outbox(Protocol):
    """The durable journal that makes a command's send happen at most once."""

    def intend(self, command_id: str, message_id: str, asked: str = "") -> SendResult | None:
        """Record the intention durably before sending. Gives what is recorded already for this id, else None. `asked`:
        a digest of what is to be sent, so that the id cannot stand for anything else."""
        ...

    def asked(self, command_id: str) -> str:
        """The digest of a recorded send; "" where none was recorded."""
        ...

    def record_outcome(self, command_id: str, result: SendResult) -> None: ...
    def find(self, command_id: str) -> SendResult | None: ...
    def open(self) -> list[SendResult]:
        """The sends that are still intended or unknown, oldest first."""
        ...


class CopyOutcome(StrEnum):
    """What came of a save or a backup."""

    MADE = "made"
    UNCHANGED = "unchanged"
    """The newest backup holds the snapshot already."""
    FAILED = "failed"


class WorkerMetrics(Protocol):
    """Counts what the worker does, for its metrics page."""

    def lease_renewed(self, outcome: str) -> None: ...
    def frozen(self, seconds: float) -> None:
        """A browser stood still so long because its lease was in doubt."""
        ...

    def launched(self, *, succeeded: bool) -> None: ...
    def rung_taken(self, rung: str) -> None: ...
    def refused(self, what: Refusal) -> None:
        """A browser was kept from something."""
        ...

    def saved(self, outcome: CopyOutcome) -> None: ...
    def backed_up(self, outcome: CopyOutcome) -> None: ...
    def snapshot_paused(self, seconds: float) -> None:
        """A browser stood still so long for a snapshot."""
        ...


class DurableRecordStore(Protocol):
    """The session's durable record, beside its profile."""

    def load(self) -> DurableRecord:
        """The defaults when there is no record, or it cannot be read."""
        ...

    def write(self, record: DurableRecord) -> None:
        """Write durably, by rename. Raises OSError."""
        ...


class MessageSender(Protocol):
    """Test messages of one session, each sent at most once."""

    async def send(self, command_id: str, number: str, text: str, *, timeout: float) -> SendResult: ...
    async def status(self, command_id: str) -> SendResult: ...


class SessionControl(Protocol):
    """What the commands of the bus may ask of a session that this worker owns."""

    @property
    def sender(self) -> MessageSender: ...

    async def check(self, *, back_up: bool) -> Checked: ...
    async def pair_phone(self, number: str) -> PairingCode: ...
    async def back_up(self) -> BackedUp: ...
    async def restore(self, backup_id: str) -> None: ...
    async def read_chunk(self, snapshot: str, sha256: str) -> bytes: ...
