"""A worker's world in memory, for tests of the runner: a browser that shows what a test sets, a disk, an object store
that can be unreachable. The real adapters have tests of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from browser_worker.domain.debounce import Debounce
from browser_worker.domain.egress import Refusal
from browser_worker.domain.ladder import Budget
from browser_worker.domain.reading import LocalStorageExport, PageState, RawReading, Reading, SelfCheck, SendOutcome
from browser_worker.domain.session import DurableRecord
from browser_worker.ports import BrowserGone, BrowserMeasure, CopyOutcome, ProfileDamaged, Save, Snapshot
from browser_worker.runner.dependencies import Dependencies, Times
from shared.clock import SystemClock
from shared.contracts.backups import BackupEntry, Backups, BackupTrigger, EpochClaimed, FailureCode, Stored
from shared.contracts.commands import SendResult
from shared.contracts.errors import Fenced, NotFound, ServiceError, Unavailable
from shared.contracts.sessions import ProfileStatus, SessionStatus
from shared.contracts.snapshots import SnapshotManifest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAST = Times(
    poll=0.01, poll_soon=0.01, connect=0.3, measure=5, validate=5, save=60, back_up=60, back_up_retry=0.05,
    stop=2, publish=0.05, take_over=0.02, take_over_pause=60, unlink=1,
)  # fmt: skip


class FakeBrowser:
    def __init__(self) -> None:
        self.page = PageState.LOADING
        self.qr = "1@ref,a,b,c,d"
        self.alive = False
        self.gone_at_launch = 0
        self.calls: list[str] = []
        self.after_launch: Callable[[], None] | None = None
        self.outcome = SendOutcome("sent", ack=1)
        self.sent: list[str] = []
        self.frozen = False

    def shows(self, page: PageState) -> None:
        self.page = page

    async def launch(self, profile: Path, local_storage: LocalStorageExport | None) -> None:
        self.calls.append("launch")
        if self.gone_at_launch:
            self.gone_at_launch -= 1
            raise BrowserGone("no browser")
        self.alive = True
        if self.after_launch:
            self.after_launch()

    async def version(self) -> str:
        return "156.0.0.1"

    def on_wake(self, callback: Callable[[], None]) -> None: ...

    async def read(self) -> Reading:
        if not self.alive:
            raise BrowserGone
        number = "201234567890" if self.page is PageState.CONNECTED else ""
        qr = self.qr if self.page is PageState.QR else ""
        return Reading(self.page, RawReading(tier="modules", number=number, qr=qr))

    async def self_check(self) -> SelfCheck:
        return SelfCheck(read_ok=True, send_ok=True)

    async def reload(self) -> None:
        self.calls.append("reload")

    async def reopen_page(self) -> None:
        self.calls.append("reopen_page")

    async def refresh_qr(self) -> None:
        self.calls.append("refresh_qr")

    async def pairing_code(self, number: str) -> str:
        return "ABCD1234"

    async def take_over(self) -> None:
        self.calls.append("take_over")

    async def dismiss_known_dialogs(self) -> None: ...

    async def new_message_id(self, number: str) -> str:
        return f"id-{len(self.sent)}"

    async def send_text(self, number: str, text: str, message_id: str, *, timeout: float) -> SendOutcome:
        self.sent.append(message_id)
        return self.outcome

    async def find_message(self, message_id: str) -> SendOutcome | None:
        return None

    async def unlink(self) -> bool:
        self.calls.append("unlink")
        return True

    async def export_local_storage(self) -> LocalStorageExport:
        self.calls.append("export_local_storage")
        return LocalStorageExport("http://x", 1, {})

    async def screenshot(self) -> bytes:
        return b""

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False

    async def measure(self) -> BrowserMeasure:
        return BrowserMeasure("156.0.0.1", 1, 1)

    async def close(self, *, timeout: float) -> None:
        self.calls.append("close")
        self.alive = False

    def kill(self) -> None:
        self.calls.append("kill")
        self.alive = False

    def crash(self) -> None:
        self.alive = False


class FakeProfileStore:
    """A profile that exists and is valid as a test sets it; `saved` are its saves, newest first."""

    def __init__(self) -> None:
        self.exists = False
        self.valid = True
        self.saved: list[Save] = []
        self.damaged: set[str] = set()
        self.calls: list[str] = []
        self.profile = Path("/nowhere")

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        yield

    async def inspect(self) -> ProfileStatus:
        return ProfileStatus(exists=self.exists, valid=self.exists and self.valid)

    async def local_storage_export(self) -> LocalStorageExport | None:
        return None

    async def write_local_storage_export(self, export: LocalStorageExport) -> None:
        self.calls.append("write_local_storage_export")

    async def snapshot(
        self, *, freeze: Any, thaw: Any, epoch: int, browser_version: str, page_version: str = ""
    ) -> Snapshot:
        return self._snapshot(epoch)

    async def snapshot_at_rest(self, *, epoch: int, browser_version: str) -> Snapshot:
        self.calls.append("snapshot_at_rest")
        return self._snapshot(epoch)

    def _snapshot(self, epoch: int) -> Snapshot:
        manifest = SnapshotManifest(
            session="s", snapshot="n", epoch=epoch, taken_at=NOW, browser_version="156.0.0.1", files=()
        )
        return Snapshot(id="n", folder=Path("/nowhere"), manifest=manifest, pause_ms=1)

    async def add_save(self, snapshot: Snapshot) -> Save:
        save = Save(f"save-{len(self.saved)}", Path("/nowhere"), NOW, 1, "156.0.0.1")
        self.saved.insert(0, save)
        return save

    async def saves(self) -> list[Save]:
        return list(self.saved)

    async def restore_save(self, save: Save, *, browser_version: str) -> None:
        self.calls.append(f"restore {save.id}")
        if save.id in self.damaged:
            raise ProfileDamaged(save.id)
        self.exists = self.valid = True

    async def restore_backup(self, source: Any, *, browser_version: str) -> SnapshotManifest:
        self.calls.append(f"restore {source}")
        if source in self.damaged:
            raise NotFound("damaged", code="damaged")
        self.exists = self.valid = True
        return self._snapshot(1).manifest

    async def import_old_profile(self) -> bool:
        return False

    async def drop_set_aside(self) -> None:
        self.calls.append("drop_set_aside")

    async def set_aside(self) -> None:
        self.calls.append("set_aside")
        self.exists = False

    async def wipe(self) -> None:
        self.calls.append("wipe")
        self.exists = False
        self.saved.clear()

    async def read_chunk(self, snapshot_id: str, sha256: str) -> bytes:
        return b""

    @asynccontextmanager
    async def offer(self, snapshot: Snapshot) -> AsyncIterator[tuple[str, ...]]:
        yield ()

    async def saves_bytes(self) -> int:
        return len(self.saved)

    async def trim(self, max_bytes: int) -> int:
        return 0


class FakeBackups:
    def __init__(self) -> None:
        self.error: ServiceError | None = None
        self.found: list[BackupEntry] = []
        self.stored: list[str] = []
        self.tombstones: list[int] = []
        self.tombstone_unverified = False
        self.claims = 0
        self.epoch = 0

    def has(self, *ids: str, epoch: int = 1, state: str = "scrubbed") -> None:
        self.found = [
            BackupEntry(
                id=each,
                epoch=epoch,
                sequence=1,
                taken_at=NOW,
                bytes=1,
                state=state,
                browser_version="1",
                generation="g",
            )
            for each in ids
        ]

    async def claim_epoch(self, *, owner: str, nonce: str, at_least: int) -> EpochClaimed:
        self._check()
        self.claims += 1
        self.epoch = max(self.epoch + 1, at_least)
        return EpochClaimed(epoch=self.epoch)

    async def store(
        self, snapshot: Snapshot, manifest_chunks: tuple[str, ...], *, epoch: int, trigger: BackupTrigger
    ) -> Stored:
        self._check()
        if epoch < self.epoch:
            raise Fenced("another owner holds this session")
        self.stored.append(trigger)
        return Stored(backup=f"b-{len(self.stored)}")

    async def backups(self, *, for_a_person: bool = False) -> Backups:
        self._check()
        if self.tombstone_unverified and not for_a_person:
            raise Unavailable("the tombstone does not verify", code=FailureCode.TOMBSTONE_UNVERIFIED)
        cleared = max((each.epoch for each in self.found if each.state == "cleared"), default=0)
        return Backups(backups=tuple(self.found), tombstone_epoch=cleared)

    def source(self, backup_id: str) -> Any:
        return backup_id

    async def tombstone(self, *, epoch: int) -> None:
        self._check()
        self.tombstones.append(epoch)

    def _check(self) -> None:
        if self.error is not None:
            raise self.error


class MemoryOutbox:
    def __init__(self) -> None:
        self.rows: dict[str, SendResult] = {}
        self.digests: dict[str, str] = {}

    def intend(self, command_id: str, message_id: str, asked: str = "") -> SendResult | None:
        if command_id in self.rows:
            return self.rows[command_id]
        self.digests[command_id] = asked
        self.rows[command_id] = SendResult(outcome="intended", command_id=command_id, message_id=message_id)
        return None

    def record_outcome(self, command_id: str, result: SendResult) -> None:
        self.rows[command_id] = result

    def find(self, command_id: str) -> SendResult | None:
        return self.rows.get(command_id)

    def asked(self, command_id: str) -> str:
        return self.digests.get(command_id, "")

    def open(self) -> list[SendResult]:
        return [row for row in self.rows.values() if row.outcome in ("intended", "unknown")]


class DurableRecordInMemory:
    def __init__(self, **fields: Any) -> None:
        self.written = DurableRecord(**fields)

    def load(self) -> DurableRecord:
        return self.written

    def write(self, record: DurableRecord) -> None:
        self.written = replace(record)


class FakeMetrics:
    """Remembers what was counted, such as `launched True`."""

    def __init__(self) -> None:
        self.counted: list[str] = []
        self.seconds_frozen: list[float] = []
        self.seconds_paused: list[float] = []

    def lease_renewed(self, outcome: str) -> None:
        self.counted.append(f"lease {outcome}")

    def frozen(self, seconds: float) -> None:
        self.seconds_frozen.append(seconds)

    def launched(self, *, succeeded: bool) -> None:
        self.counted.append(f"launched {succeeded}")

    def refused(self, what: Refusal) -> None: ...

    def rung_taken(self, rung: str) -> None:
        self.counted.append(f"rung {rung}")

    def saved(self, outcome: CopyOutcome) -> None:
        self.counted.append(f"save {outcome}")

    def backed_up(self, outcome: CopyOutcome) -> None:
        self.counted.append(f"backup {outcome}")

    def snapshot_paused(self, seconds: float) -> None:
        self.seconds_paused.append(seconds)


@dataclass
class World:
    browser: FakeBrowser = field(default_factory=FakeBrowser)
    profile_store: FakeProfileStore = field(default_factory=FakeProfileStore)
    backups: FakeBackups = field(default_factory=FakeBackups)
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    durable_record: DurableRecordInMemory = field(default_factory=DurableRecordInMemory)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    statuses: list[SessionStatus] = field(default_factory=list)

    @property
    def status(self) -> SessionStatus:
        return self.statuses[-1]

    @property
    def states(self) -> list[str]:
        return [change.state for change in self.status.history]

    def dependencies(self, **changes: Any) -> Dependencies:
        async def publish_status(status: SessionStatus) -> None:
            self.statuses.append(status)

        async def publish_event(area: str, fact: str, message: object) -> None: ...

        options: dict[str, Any] = {
            "session": "shop",
            "worker": "w",
            "browser": self.browser,
            "profile_store": self.profile_store,
            "backups": self.backups,
            "outbox": self.outbox,
            "durable_record": self.durable_record,
            "metrics": self.metrics,
            "clock": SystemClock(),
            "publish_status": publish_status,
            "publish_event": publish_event,
            "jitter": lambda: 0.5,
            "times": FAST,
            "budget": Budget(attempts=3, launches=2, base_delay=0.02),
            "debounce": Debounce(offline=0.05, lost_login=0.05, silent=0.5),
        }
        return Dependencies(**(options | changes))
