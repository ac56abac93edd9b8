"""What the gateway's tests run against: a scripted owner and health service on a real bus, and a gateway process.

The owner has no browser; it publishes and answers what a test tells it to. Its loop runs in a thread, so that tests may
block.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec

from shared.bus import Bus, Call, create_streams
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.backups import LIST_BACKUPS, BackupEntry, Backups, ListBackups
from shared.contracts.commands import (
    BACK_UP_NOW,
    CHECK,
    PAIR_PHONE,
    RESTORE_NOW,
    SEND_TEST,
    Accepted,
    BackedUp,
    BackUpNow,
    Check,
    Checked,
    PairingCode,
    PairPhone,
    RestoreNow,
    SendResult,
    SendTest,
)
from shared.contracts.errors import TimedOut
from shared.contracts.health import JUDGE, CheckResult, HealthReport, Issue, Judge, Recommendation
from shared.contracts.logins import LoginRecord
from shared.contracts.message import Message
from shared.contracts.sessions import (
    Account,
    BackupsStatus,
    BrowserStatus,
    Pairing,
    ProfileStatus,
    SavesStatus,
    SessionRecord,
    SessionStatus,
    Transition,
)
from shared.contracts.subjects import Command
from shared.contracts.telemetry import WorkerHeartbeat
from shared.contracts.units import MEGABYTE
from shared.testing import bus_environment, eventually_sync, free_port, options_for_tests

T = TypeVar("T")
SESSION = "whatsapp-automation-pro-v2"
API = "/api/whatsapp/persistent-session"
API_KEY = "0123456789abcdef0123456789abcdef"
KEY = {"X-API-Key": API_KEY}
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
QR_TEXT = "2@n0tAR3alRef0123456789,cHVibGljS2V5,aWRlbnRpdHlLZXk=,YWR2U2VjcmV0,1"


_PROFILE = ProfileStatus(
    exists=True,
    valid=True,
    bytes=38 * MEGABYTE,
    modified_at=NOON,
    validated_at=NOON,
    critical_files=("Default/Local Storage/leveldb", "Default/IndexedDB", "Default/Preferences"),
)
_SAVES = SavesStatus(count=3, newest_at=NOON, newest_bytes=12 * MEGABYTE, bytes=36 * MEGABYTE, pause_ms=21.4)
_BACKUPS = BackupsStatus(
    known=True,
    seen_at=NOON,
    count=12,
    newest_id="7-41-20261122T115800Z",
    newest_at=NOON,
    newest_bytes=11 * MEGABYTE,
    stored_bytes=44 * MEGABYTE,
)
_BROWSER = BrowserStatus(
    version="156.0.8078.79",
    memory_bytes=214 * MEGABYTE,
    processes=6,
    started_at=NOON,
    connected_after_ms=812.0,
    page_version="2.3000.1031",
    wa_js_version="4.6.0",
    tier="wa-js",
    read_ok=True,
    send_ok=True,
)
_HISTORY = (
    Transition(at=NOON, state="starting", reason="launching", seconds=0.0),
    Transition(at=NOON, state="pairing", reason="scan_the_qr", seconds=2.1),
    Transition(at=NOON, state="syncing", reason="sealing", seconds=31.0),
    Transition(at=NOON, state="connected", reason="connected", seconds=4.2),
)


def status(session: str = SESSION, **changes: Any) -> SessionStatus:
    """A connected, healthy session, except for `changes`."""
    healthy = SessionStatus(
        session=session,
        state="connected",
        reason="connected",
        detail="Connected.",
        since=NOON,
        updated_at=NOON,
        epoch=7,
        worker="worker-1",
        request=1,
        account=Account(number="201234567890", name="Mona Store", platform="android"),
        profile=_PROFILE,
        saves=_SAVES,
        backups=_BACKUPS,
        browser=_BROWSER,
        history=_HISTORY,
        session_path="/data/persistent-session",
        saves_path="/data/session-backup",
        probed_at=NOON,
    )
    return msgspec.structs.replace(healthy, **changes)


def pairing(**changes: Any) -> SessionStatus:
    """A session that waits for a phone, except for `changes`."""
    waiting = {
        "state": "pairing",
        "reason": "scan_the_qr",
        "detail": "Scan the QR with the phone: WhatsApp → Linked devices → Link a device.",
        "account": None,
        "pairing": Pairing(qr=QR_TEXT, qr_at=NOON),
        "saves": SavesStatus(),
        "backups": BackupsStatus(known=True),
        "history": (Transition(at=NOON, state="pairing", reason="scan_the_qr", seconds=2.1),),
    }
    return status(**(waiting | changes))


def report(session: str = SESSION, **changes: Any) -> HealthReport:
    """A verdict with one warning, except for `changes`."""
    warning = HealthReport(
        session=session,
        at=NOON,
        overall="warning",
        checks=(
            CheckResult(code="WA-SIZE", level="healthy", title="Session size", value="38 MB", limit="150 MB"),
            CheckResult(code="WA-BACKUP", level="warning", title="Newest backup", value="12 min", limit="10 min"),
        ),
        issues=(
            Issue(
                code="WA-BACKUP",
                level="warning",
                text="The newest backup is 12 minutes old.",
                text_ar="آخر نسخة احتياطية عمرها 12 دقيقة.",
                since=NOON,
            ),
        ),
        recommendations=(
            Recommendation(
                id="back-up",
                text="Make a new backup.",
                text_ar="أنشئ نسخة احتياطية جديدة.",
                action="backup",
                evidence="12 min",
            ),
        ),
    )
    return msgspec.structs.replace(warning, **changes)


class Owner:
    """Owns SESSION on the bus. `answers[kind]` is the answer to a command: a message, an exception, or a function of
    (message, call). `received` holds every command with its id. With `carry_out` set, the owner also follows desired
    states: `carry_out` takes a record and returns the statuses to publish, one after the other."""

    def __init__(self, nats_url: str, session: str = SESSION, worker: str = "worker-1") -> None:
        self.session, self.worker = session, worker
        self.answers: dict[type[Message], Any] = {
            Check: lambda *_: Checked(status=self.last_status or status(), probe_ok=True, backup_started=True),
            PairPhone: PairingCode(code="ABCD1234", valid_seconds=160),
            SendTest: lambda _, call: SendResult(
                outcome="sent", command_id=call.command_id, message_id="true_201234567890@c.us_3EB0", ack=1
            ),
            BackUpNow: BackedUp(outcome="stored", backup_id="7-42-20261122T120000Z"),
            RestoreNow: Accepted(detail=""),
            Judge: report(session),
            ListBackups: Backups(
                backups=(
                    BackupEntry(
                        id="7-41-20261122T115800Z",
                        epoch=7,
                        sequence=41,
                        taken_at=NOON,
                        bytes=11 * MEGABYTE,
                        state="drilled",
                        browser_version="156.0.8078.79",
                        generation="7-20261122",
                        kept_because=("newest",),
                    ),
                ),
                stored_bytes=44 * MEGABYTE,
            ),
        }
        self.received: list[tuple[Message, str]] = []
        self.last_status: SessionStatus | None = None
        self.carry_out: Callable[[SessionRecord], list[SessionStatus]] | None = None
        self.heartbeats = True
        self._clock = SystemClock()
        self._options = options_for_tests(nats_url, name="browser-worker")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    def __enter__(self) -> Owner:
        self._thread.start()
        self.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def publish_status(self, status: SessionStatus) -> None:
        self.run(self._publish_status(status))

    def publish_report(self, report: HealthReport) -> None:
        """Publish a verdict as the health service does."""
        self.run(self.bus.publish(subjects.telemetry("health", "report", "health-1"), report))

    def put(self, record: SessionRecord) -> None:
        self.run(self.bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord).put(record.session, record))

    def desired(self) -> SessionRecord | None:
        entry = self.run(self.bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord).get(self.session))
        return entry.value if entry else None

    def delete_records(self) -> None:
        """Delete the session's status and desired state, and every login."""
        logins = self.bus.bucket(subjects.LOGINS_BUCKET, LoginRecord)
        for login_id in self.run(logins.keys()):
            self.run(logins.delete(login_id))
        self.run(self.bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord).delete(self.session))
        self.run(self.bus.bucket(subjects.STATUS_BUCKET, SessionStatus).delete(self.session))

    async def _open(self) -> None:
        self.bus = await Bus.connect(self._options, clock=self._clock)
        await create_streams(self.bus)
        await self._serve(CHECK, Check)
        await self._serve(PAIR_PHONE, PairPhone)
        await self._serve(SEND_TEST, SendTest)
        await self._serve(BACK_UP_NOW, BackUpNow)
        await self._serve(RESTORE_NOW, RestoreNow)
        await self._serve(LIST_BACKUPS, ListBackups)
        await self._serve(JUDGE, Judge)
        await self.bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord).watch(self._desired_state_changed)
        self._heartbeat_task = asyncio.create_task(self._send_heartbeats())

    async def _close(self) -> None:
        self._ended.set()
        if self._heartbeat_task is not None:
            self._heartbeat_task.cancel()
        await self.bus.drain(timeout=1.0)

    async def _serve(self, command: Command, kind: type[Message]) -> None:
        async def serve(message: Message, call: Call) -> Message:
            self.received.append((message, call.command_id))
            script = self.answers[kind]
            answer = script(message, call) if callable(script) else script
            if isinstance(answer, Awaitable):
                answer = await self._await_or_close(answer)
            if isinstance(answer, Exception):
                raise answer
            assert isinstance(answer, Message)
            return answer

        await self.bus.serve(subjects.command(command, self.session), kind, serve)

    async def _await_or_close(self, answer: Awaitable[Any]) -> Any:
        """The answer, or an error when the owner closes first: a command that hangs must not hold up the end."""
        answering = asyncio.ensure_future(answer)
        ended = asyncio.ensure_future(self._ended.wait())
        await asyncio.wait({answering, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not answering.done():
            answering.cancel()
            return TimedOut("the owner closes")
        return answering.result()

    async def _desired_state_changed(self, session: str, record: SessionRecord | None) -> None:
        if record is not None and self.carry_out is not None and session == self.session:
            for status in self.carry_out(record):
                await self._publish_status(status)

    async def _publish_status(self, status: SessionStatus) -> None:
        self.last_status = status
        await self.bus.bucket(subjects.STATUS_BUCKET, SessionStatus).put(status.session, status)

    async def _send_heartbeats(self) -> None:
        subject = subjects.telemetry("browser-worker", "heartbeat", self.worker)
        while True:
            if self.heartbeats:
                sessions = (self.session,) if self.last_status else ()
                await self.bus.publish(
                    subject,
                    WorkerHeartbeat(
                        worker=self.worker,
                        at=self._clock.now(),
                        sessions=sessions,
                        free_capacity=3,
                        memory_bytes=90 * MEGABYTE,
                        uptime_seconds=3600.0,
                        disk_free_bytes=10 * 1024**3,
                        command_key=self.bus.command_key,
                    ),
                )
            await asyncio.sleep(0.2)


async def hang(*_: object) -> Message:
    """A command that is never answered."""
    await asyncio.sleep(60)
    raise AssertionError("not reached")


class GatewayProcess:
    """`python -m gateway` as it is deployed, or another `module` that runs it."""

    def __init__(self, nats_url: str, log_file: Path, module: str = "gateway", **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = log_file
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAILWAY_")}
        self.environment = kept | {
            **bus_environment(),
            "NATS_URL": nats_url,
            "API_KEY": API_KEY,
            "GATEWAY_PORT": str(self.port),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(":")]),
            **environment,
        }
        self.module = module
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> GatewayProcess:
        self.start()
        try:
            eventually_sync(lambda: self.is_up("/health/ready"), timeout=20, message="the gateway is ready")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", self.module], env=self.environment, stderr=log)
        try:
            eventually_sync(lambda: self.is_up("/health/live"), timeout=20, message="the gateway answers")
        except BaseException:
            self.stop()
            raise

    def is_up(self, path: str) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"the gateway ended: {self.log()}")
        try:
            return httpx.get(self.url + path, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, timeout: float = 15.0) -> int:
        """SIGTERM and the exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def log(self) -> str:
        return self.log_file.read_text()
