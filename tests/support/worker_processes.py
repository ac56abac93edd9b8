"""Workers as real processes on a real bus, object store and stand-in. There is no gateway: the test writes the desired
state.

A `Ground` (NATS, S3, backup service) may serve many tests; a `Scene` is one account with its workers and their folders.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from whole_system import command_line

from shared.bus import Bus, create_streams
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.backups import LIST_BACKUPS, BackupEntry, Backups, ListBackups
from shared.contracts.errors import ServiceError
from shared.contracts.message import Message
from shared.contracts.sessions import DesiredState, LeaseRecord, SessionRecord, SessionStatus
from shared.contracts.subjects import Command
from shared.contracts.telemetry import WorkerHeartbeat
from shared.testing import NatsServer, S3Server, bus_environment, eventually, options_for_tests
from shared.testing.process import Process
from standin.client import Phone
from standin.process import StandInProcess

WA_JS = Path(__file__).parents[2] / "node_modules/@wppconnect/wa-js/dist/wppconnect-wa.js"
NUMBER = "201234567890"
QUICK = {
    "LEASE_TTL_MS": "3000",
    "RECONNECT_DELAY_MS": "500",
    "SESSION_TIMEOUT_MS": "8000",
    "BROWSER_TIMEOUT_MS": "8000",
    "HEALTH_CHECK_INTERVAL_MS": "1000",
    "SESSION_VALIDATION_INTERVAL_MS": "1000",
    "STOP_BUDGET_MS": "10000",
}
"""Intervals of the workers: short, but not so short that a busy machine alone makes a fault."""
LAUNCH_CALLED_OFF = "self._browser._browser_type._contexts.pop"
"""Playwright's own complaint about a browser that is killed while its launch is being called off; nothing follows."""
_FOREIGN = ("NATS_", "S3_", "API_KEY", "RAILWAY_", "MASTER_KEY")


def _environment(**given: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, **bus_environment(), "LOG_LEVEL": "debug", **given}


class Ground:
    """NATS with its streams, and a backup service if there is an object store."""

    def __init__(self, folder: Path, nats: NatsServer, store: S3Server | None) -> None:
        self.folder = folder
        self.nats = nats
        self.store = store
        self._master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self._backup: Process | None = None

    @property
    def backup(self) -> Process:
        assert self._backup is not None
        return self._backup

    def start_backup(self) -> None:
        assert self.store is not None
        environment = _environment(
            NATS_URL=self.nats.url, S3_ENDPOINT=self.store.endpoint, S3_BUCKET=self.store.bucket,
            S3_ACCESS_KEY_ID=self.store.access_key, S3_SECRET_ACCESS_KEY=self.store.secret_key,
            MASTER_KEY=self._master_key,
        )  # fmt: skip
        command = [sys.executable, "-m", "backup"]
        self._backup = Process(command, log_file=self.folder / "backup.log", env=environment)

    def end(self) -> None:
        if self._backup is not None:
            self._backup.kill()


@contextmanager
def ground(folder: Path, store: S3Server | None) -> Iterator[Ground]:
    nats = NatsServer()
    made = Ground(folder, nats.start(folder / "nats"), store)
    try:
        if store is not None:
            made.start_backup()
        yield made
    finally:
        made.end()
        nats.stop()


class WorkerProcess:
    """`python -m browser_worker` with folders of its own. A test starts, kills, freezes and starts it again."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str], session: str) -> None:
        self.name = name
        self.session = session
        self.sessions = folder / "sessions"
        self.saves = folder / "saves"
        self.log = folder / "worker.log"
        self.environment = {
            "INSTANCE": name, "SESSION_PATH": str(self.sessions), "BACKUP_SESSION_PATH": str(self.saves), **environment,
        }  # fmt: skip
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)

    @property
    def profile(self) -> Path:
        return self.sessions / f"session-{self.session}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    def start(self, **environment: str) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "browser_worker"],
                env=_environment(**{**self.environment, **environment}),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._folder,
            )  # fmt: skip

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self, *, timeout: float = 25.0) -> int:
        """Stop in order, by SIGTERM. Gives the exit code."""
        self.process.terminate()
        return self.process.wait(timeout)

    def end(self) -> None:
        """End the worker and its browser, whatever state they are in."""
        browser = self.browser()
        if self._process is not None and self._process.poll() is None:
            self.kill()
        for process in {*browser, *self.browser()}:
            with suppress(psutil.Error):
                process.kill()

    def browser(self) -> list[psutil.Process]:
        """The living processes of the browser on this worker's profile."""
        found: dict[int, psutil.Process] = {}
        switch = f"--user-data-dir={self.profile}"
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if switch in process.cmdline():
                    for each in (process, *process.children(recursive=True)):
                        found[each.pid] = each
        return [process for process in found.values() if lives(process)]

    def main_process(self) -> psutil.Process:
        """The browser process that started all the others, not a shell script that started it."""
        switch = f"--user-data-dir={self.profile}"
        return next(each for each in self.browser() if switch in each.cmdline() and "chrom" in each.exe())

    def renderers(self) -> list[psutil.Process]:
        return [process for process in self.browser() if "--type=renderer" in " ".join(command_line(process))]

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """The lines of the worker's log, or those of one event."""
        text = self.log.read_text() if self.log.exists() else ""
        parsed = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [line for line in parsed if not event or line.get("event") == event]

    def exceptions(self) -> list[str]:
        """Tracebacks and crashed tasks, which no log should hold."""
        text = self.log.read_text() if self.log.exists() else ""
        crashed = [str(line) for line in self.lines() if line.get("event") == "task_crashed" or "exception" in line]
        foreign = [line for line in text.splitlines() if line.startswith("Traceback")]
        return [each for each in crashed + foreign if LAUNCH_CALLED_OFF not in each]


class Scene:
    """One account on a stand-in of its own, one session, its workers, its desired state and its status."""

    def __init__(self, folder: Path, ground: Ground, standin: StandInProcess, bus: Bus, worker_bus: Bus) -> None:
        """`bus` plays the gateway, `worker_bus` another worker: a service answers to the inbox of the user who asks."""
        self.folder = folder
        self.ground = ground
        self.standin = standin
        self.bus = bus
        self.worker_bus = worker_bus
        self.session = f"s-{secrets.token_hex(4)}"
        self.workers: list[WorkerProcess] = []
        self._sessions = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
        self._status = bus.bucket(subjects.STATUS_BUCKET, SessionStatus)
        self._leases = bus.bucket(subjects.LEASES_BUCKET, LeaseRecord)
        self._request = 0
        self._clock = SystemClock()
        self._command_keys: dict[str, str] = {}

    @property
    def phone(self) -> Phone:
        return self.standin.phone

    def worker(self, name: str, **environment: str) -> WorkerProcess:
        """Not started yet."""
        given = {
            "NATS_URL": self.ground.nats.url, "WHATSAPP_WEB_URL": self.standin.web_url, "WA_JS_PATH": str(WA_JS),
            "CLIENT_ID": self.session, **QUICK, **environment,
        }  # fmt: skip
        made = WorkerProcess(name, self.folder / name, given, self.session)
        self.workers.append(made)
        return made

    def started(self, name: str = "first", **environment: str) -> WorkerProcess:
        made = self.worker(name, **environment)
        made.start()
        return made

    async def want(self, wanted: DesiredState = DesiredState.RUNNING) -> int:
        """Write the desired state, as the gateway does on initialize, stop and clear. Gives the request's number."""
        self._request += 1
        record = SessionRecord(
            session=self.session, desired=wanted, requested_at=self._clock.now(), request=self._request
        )
        await self._sessions.put(self.session, record)
        return self._request

    async def status(self) -> SessionStatus | None:
        entry = await self._status.get(self.session)
        return entry.value if entry else None

    async def lease(self) -> LeaseRecord | None:
        entry = await self._leases.get(self.session)
        return entry.value if entry else None

    async def until(
        self, *states: str, reason: str = "", by: str = "", where: Callable[[SessionStatus], bool] | None = None,
        timeout: float = 30.0,
    ) -> SessionStatus:  # fmt: skip
        """The first status in one of `states`, and by the worker `by` when it is named."""
        last: SessionStatus | None = None

        async def reached() -> SessionStatus | None:
            nonlocal last
            try:
                last = await self.status()
            except ServiceError:
                return None  # NATS is on its way back
            if last is None or (states and last.state not in states) or (by and last.worker != by):
                return None
            return last if (not reason or last.reason == reason) and (where is None or where(last)) else None

        try:
            found = await eventually(reached, timeout=timeout)
        except AssertionError:
            raise AssertionError(f"never {states} {reason} {by}, but {_short(last)}") from None
        assert found is not None
        return found

    async def link(self) -> SessionStatus:
        """Initialize, scan, and wait until the session is connected."""
        await self.want()
        await self.until("pairing", where=lambda status: bool(status.pairing.qr))
        self.phone.scan()
        return await self.until("connected")

    async def request(self, command: Command, message: Message, reply: type[Message], **options: Any) -> Any:
        options.setdefault("timeout", 8.0)
        if command.request.private:
            options["owner_key"] = await eventually(self._owner_key, message="a heartbeat of the owner")
        bus = self.bus if "gateway" in command.askers else self.worker_bus
        return await bus.request(subjects.command(command, self.session), message, reply, **options)

    def hear(self, heartbeat: WorkerHeartbeat, _subject: str = "") -> None:
        self._command_keys[heartbeat.worker] = heartbeat.command_key

    async def _owner_key(self) -> str:
        status = await self.status()
        return self._command_keys.get(status.worker, "") if status else ""

    async def backups(self) -> tuple[BackupEntry, ...]:
        answer: Backups = await self.request(LIST_BACKUPS, ListBackups(), Backups)
        return answer.backups

    async def backed_up(self, *, beyond: int = 0, timeout: float = 20.0) -> tuple[BackupEntry, ...]:
        """The backups in the store, once there are more than `beyond`."""

        async def more() -> tuple[BackupEntry, ...]:
            found = await self.backups()
            return found if len(found) > beyond else ()

        return await eventually(more, timeout=timeout, message="a further backup in the store")

    def end(self) -> None:
        for worker in self.workers:
            worker.end()

    async def forget(self) -> None:
        """The ground may serve many tests, and the workers of the next test must not take this session."""
        with suppress(ServiceError):
            await self._sessions.delete(self.session)


@asynccontextmanager
async def scene(folder: Path, ground: Ground, *standin_options: str) -> AsyncIterator[Scene]:
    """Afterwards no worker and no browser is left, whatever happened."""
    bus = await Bus.connect(options_for_tests(ground.nats.url), clock=SystemClock())
    worker_bus = await Bus.connect(options_for_tests(ground.nats.url, name="browser-worker"), clock=SystemClock())
    try:
        await create_streams(bus)
        with StandInProcess(folder / "standin", *standin_options) as standin:
            made = Scene(folder, ground, standin, bus, worker_bus)
            await bus.subscribe(subjects.WORKER_HEARTBEATS, WorkerHeartbeat, made.hear)
            try:
                yield made
            finally:
                made.end()
                await made.forget()
    finally:
        await bus.drain()
        await worker_bus.drain()


def lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def stopped(processes: list[psutil.Process]) -> bool:
    """Every one of them that still lives is in state T, and one does live. A helper process may have ended before."""
    living = [process for process in processes if lives(process)]
    return bool(living) and all(process.status() == psutil.STATUS_STOPPED for process in living)


def _short(status: SessionStatus | None) -> str:
    if status is None:
        return "no status"
    changes = [f"{change.state}/{change.reason}" for change in status.history[-12:]]
    return f"{status.state}/{status.reason} by {status.worker}, epoch {status.epoch}: {changes}"
