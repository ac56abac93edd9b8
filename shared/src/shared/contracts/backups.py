"""What a worker and the backup service say to each other.

To back up, the owner claims its epoch once and then offers a snapshot with StoreSnapshot. The backup service pulls the
manifest and the chunks that it lacks from the owner with ReadChunk. It answers when the backup is whole, or with an
error; then nothing is stored.
To restore, the worker sends ListBackups, FetchManifest, and FetchChunk for each chunk. Chunks travel as raw bytes,
everything else as messages.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

import msgspec

from .message import Instant, Message
from .subjects import Command, ServiceName

WORKER = (ServiceName.WORKER,)


class BackupTrigger(StrEnum):
    """What made the owner back up a session; on the bus plain text."""

    INTERVAL = "interval"
    LINK = "link"
    """A new link was sealed."""
    STOP = "stop"
    REQUEST = "request"
    """A person asked for a backup."""
    CHECK = "check"
    """A person asked for a health check."""


class BackupState(StrEnum):
    """What is known of a backup; on the bus plain text."""

    STORED = "stored"
    SCRUBBED = "scrubbed"
    """Read back and decrypted after the upload."""
    DRILLED = "drilled"
    """Proven in a browser."""
    BAD = "bad"
    """Damaged or incomplete."""
    CLEARED = "cleared"
    """From before the session's tombstone."""
    FOREIGN = "foreign"
    """Made with another master key."""

    @property
    def restorable(self) -> bool:
        match self:
            case BackupState.STORED | BackupState.SCRUBBED | BackupState.DRILLED:
                return True
            case BackupState.BAD | BackupState.CLEARED | BackupState.FOREIGN:
                return False
            case _:
                assert_never(self)


class FailureCode(StrEnum):
    """Codes of the backup service's errors, beside those of the classes in `errors`; on the bus plain text, so a reader
    passes on a code that it does not know."""

    BAD_CHUNK = "bad_chunk"
    """The owner sent a chunk that is not the one that its manifest names."""
    BAD_MANIFEST = "bad_manifest"
    TOO_LARGE = "too_large"
    CLEARED = "cleared"
    """The session was cleared after this epoch was claimed."""
    CONTENDED = "contended"
    """Other writers changed the same object too many times in a row."""
    DAMAGED = "damaged"
    TOMBSTONE_UNVERIFIED = "tombstone_unverified"
    """The session's tombstone was not written by this system for this session, so it is unknown which backups were
    cleared."""
    WRONG_MASTER_KEY = "wrong_master_key"
    SCRUB_FAILED = "scrub_failed"
    """What was written does not read back."""
    STORE_TIMEOUT = "store_timeout"
    STORE_UNREACHABLE = "store_unreachable"
    STORE_REFUSED = "store_refused"


class RecordFault(StrEnum):
    """Why an object in the place of a control record does not count; on the bus plain text."""

    UNVERIFIED = "unverified"
    """Damaged or forged: its MAC does not fit."""
    FOREIGN = "foreign"
    """Signed with another master key."""
    SWAPPED = "swapped"
    """Signed by this system, for another session or another kind of record."""
    ROLLED_BACK = "rolled_back"
    """Signed for this place, but older than what was seen or claimed before."""
    MISSING = "missing"
    """Seen before, and gone."""


class ClaimEpoch(Message, frozen=True, kw_only=True, tag="wa.backup.v1.claim_epoch"):
    """Anchor the owner's epoch in the object store. The same nonce gets the same answer again."""

    owner: str
    nonce: str
    at_least: int
    """The epoch of the lease; the answer is never lower."""


class EpochClaimed(Message, frozen=True, kw_only=True, tag="wa.backup.v1.epoch_claimed"):
    epoch: int
    conditional_writes: bool = True
    """False where the object store ignores conditional writes; only the lease keeps two owners apart then."""


CLAIM_EPOCH = Command("backup.claim-epoch", ServiceName.BACKUP, ClaimEpoch, EpochClaimed, WORKER)


class StoreSnapshot(Message, frozen=True, kw_only=True, tag="wa.backup.v1.store"):
    """Offers a snapshot. Its manifest is zstd-compressed JSON, cut into chunks like a file."""

    snapshot: str
    epoch: int
    manifest_chunks: tuple[str, ...]
    total_bytes: int
    reason: str = BackupTrigger.INTERVAL
    """A BackupTrigger."""


class Stored(Message, frozen=True, kw_only=True, tag="wa.backup.v1.stored"):
    """`unchanged`: the newest backup already holds exactly this content, and nothing was written."""

    backup: str
    unchanged: bool = False
    chunks: int = 0
    new_chunks: int = 0
    new_bytes: int = 0
    stored_bytes: int = 0


STORE_SNAPSHOT = Command("backup.store", ServiceName.BACKUP, StoreSnapshot, Stored, WORKER)


class ReadChunk(Message, frozen=True, kw_only=True, tag="wa.snapshot.v1.read_chunk"):
    """Asks the owner for the raw bytes of one chunk (of a file or of the manifest) of a snapshot on offer."""

    snapshot: str
    sha256: str


READ_CHUNK = Command("snapshot.read-chunk", ServiceName.WORKER, ReadChunk, None, (ServiceName.BACKUP,))


class ListBackups(Message, frozen=True, kw_only=True, tag="wa.backup.v1.list"):
    """`for_a_person`: answer also when the tombstone does not verify. Then nobody but a person can say which backups
    were cleared, and nothing may be restored unless a person names it."""

    for_a_person: bool = False


class BackupEntry(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is one of `BackupState`."""

    id: str
    epoch: int
    sequence: int
    taken_at: Instant
    bytes: int
    state: str
    browser_version: str
    generation: str
    kept_because: tuple[str, ...] = ()

    @property
    def restorable(self) -> bool:
        """False for a backup that no restore may take unless a person names it. A state that this version does not know
        counts as restorable: every chunk is verified anyway."""
        try:
            return BackupState(self.state).restorable
        except ValueError:
            return True


class Backups(Message, frozen=True, kw_only=True, tag="wa.backup.v1.backups"):
    """All backups of a session, newest first. An answer means that the object store could be read."""

    backups: tuple[BackupEntry, ...] = ()
    stored_bytes: int = 0
    tombstoned_at: Instant | None = None
    tombstone_epoch: int = 0
    """Backups up to this epoch were cleared; 0 without a tombstone."""
    tombstone_unverified: bool = False
    """Only in an answer for a person."""


LIST_BACKUPS = Command(
    "backup.list", ServiceName.BACKUP, ListBackups, Backups, (ServiceName.WORKER, ServiceName.GATEWAY)
)


class FetchManifest(Message, frozen=True, kw_only=True, tag="wa.backup.v1.fetch_manifest"):
    """`offset` is the byte to begin at; the reply is a raw part of the compressed manifest, empty at its end."""

    backup: str
    offset: int = 0


FETCH_MANIFEST = Command("backup.fetch-manifest", ServiceName.BACKUP, FetchManifest, None, WORKER)


class FetchChunk(Message, frozen=True, kw_only=True, tag="wa.backup.v1.fetch_chunk"):
    """Asks for the raw bytes of one chunk, decrypted and verified."""

    backup: str
    sha256: str


FETCH_CHUNK = Command("backup.fetch-chunk", ServiceName.BACKUP, FetchChunk, None, WORKER)


class Tombstone(Message, frozen=True, kw_only=True, tag="wa.backup.v1.tombstone"):
    """The session was cleared: backups up to this epoch are never restored, and are removed after the grace time."""

    epoch: int


class Tombstoned(Message, frozen=True, kw_only=True, tag="wa.backup.v1.tombstoned"):
    tombstoned_at: Instant
    backups: int = 0


TOMBSTONE = Command("backup.tombstone", ServiceName.BACKUP, Tombstone, Tombstoned, WORKER)
