"""The health service as a real process, and the other services as health hears them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
from health_samples import MB, WORKER, status

from shared.bus import Bus
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.health import JUDGE, HealthReport, Judge
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat
from shared.testing import NatsServer, bus_environment, eventually_sync, free_port

TOKEN = "lets-the-test-read-metrics"


def fresh_status(session: str, **changes: object) -> SessionStatus:
    """The status of a session with nothing wrong, as of now."""
    now = SystemClock().now()
    base = status(session=session, since=datetime(2026, 1, 1, tzinfo=UTC), updated_at=now, probed_at=now)
    return msgspec.structs.replace(
        msgspec.structs.replace(
            base,
            profile=msgspec.structs.replace(base.profile, validated_at=now),
            saves=msgspec.structs.replace(base.saves, newest_at=now),
            backups=msgspec.structs.replace(base.backups, newest_at=now),
        ),
        **changes,
    )


class HealthProcess:
    """`python -m health` on free ports."""

    def __init__(self, nats: NatsServer, folder: Path, *, session: str, **settings: str) -> None:
        self._port = free_port()
        self._folder = folder
        self._env = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **bus_environment(),
            "NATS_URL": nats.url,
            "NATS_MONITOR_NKEY_SEED": nats.monitor_seed,
            "HTTP_PORT": str(self._port),
            "METRICS_TOKEN": TOKEN,
            "CLIENT_ID": session,
            "INSTANCE": "health-test",
            **settings,
        }
        self.start()

    def start(self) -> None:
        with (self._folder / "health.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "health"], env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        try:
            return self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def wait_ready(self) -> None:
        eventually_sync(lambda: self.get("/health/ready").status_code == 200, timeout=20, message="health ready")

    def get(self, path: str) -> httpx.Response:
        with suppress(httpx.TransportError):
            address, headers = f"http://127.0.0.1:{self._port}{path}", {"Authorization": f"Bearer {TOKEN}"}
            return httpx.get(address, headers=headers, timeout=3, trust_env=False)
        return httpx.Response(0)

    def metric(self, line: str) -> float | None:
        """The value of a sample, such as `wa_worker_up` or `wa_session_connected{session="a"}`."""
        for each in self.get("/metrics").text.splitlines():
            if each.startswith(f"{line} "):
                return float(each.rsplit(" ", 1)[1])
        return None

    def log(self) -> str:
        return (self._folder / "health.log").read_text(errors="replace")


class OtherServices:
    """Sends the messages of a worker and the backup service, and collects the reports of one session."""

    def __init__(self, bus: Bus, session: str) -> None:
        self.bus = bus
        self.session = session
        self.reports: list[HealthReport] = []
        self.worker_alive = True
        self.store_ok = True

    async def set_desired(self, desired: str = "running") -> None:
        record = SessionRecord(session=self.session, desired=desired, requested_at=SystemClock().now())
        await self.bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord).put(self.session, record)

    async def put_status(self, status: SessionStatus) -> None:
        await self.bus.bucket(subjects.STATUS_BUCKET, SessionStatus).put(self.session, status)

    async def judge(self, timeout: float = 2.0) -> HealthReport:
        return await self.bus.request(subjects.command(JUDGE, self.session), Judge(), HealthReport, timeout=timeout)

    def last(self, matches: Callable[[HealthReport], bool]) -> HealthReport | None:
        return next((report for report in reversed(self.reports) if matches(report)), None)

    async def send_heartbeats(self) -> None:
        now = SystemClock().now()
        if self.worker_alive:
            await self.bus.publish(
                subjects.telemetry("browser-worker", "heartbeat", WORKER),
                WorkerHeartbeat(
                    worker=WORKER, at=now, sessions=(self.session,), free_capacity=3, disk_free_bytes=9000 * MB
                ),
            )
        await self.bus.publish(
            subjects.telemetry("backup", "heartbeat", "b"),
            BackupHeartbeat(instance="b", at=now, store_ok=self.store_ok),
        )

    async def _send_heartbeats_forever(self) -> None:
        while True:
            await self.send_heartbeats()
            await asyncio.sleep(0.5)


@asynccontextmanager
async def other_services(bus: Bus, session: str) -> AsyncIterator[OtherServices]:
    made = OtherServices(bus, session)

    def heard(report: HealthReport, _: str) -> None:
        made.reports.append(report)

    await bus.subscribe(subjects.telemetry("health", "report", session), HealthReport, heard)
    heartbeats = asyncio.create_task(made._send_heartbeats_forever())
    try:
        yield made
    finally:
        heartbeats.cancel()
