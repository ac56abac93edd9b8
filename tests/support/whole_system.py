"""The whole system as a user starts it, beside a stand-in that outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from shared.testing import eventually_sync, free_port
from standin.client import Phone

OLD_API = "/api/whatsapp/persistent-session"
START_SECONDS = 60.0


def command_line(process: psutil.Process) -> list[str]:
    """Empty when the process is gone or about to go."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


class System:
    """`persistent-session up` in a folder of its own, driven over its REST API."""

    def __init__(self, folder: Path, web_url: str, **environment: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.sessions = folder / "sessions"
        self.saves = folder / "saves"
        self.port = free_port()
        self.environment = {"WHATSAPP_WEB_URL": web_url, "RECONNECT_DELAY_MS": "1000", **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def profile(self) -> Path:
        return self.sessions / "session-whatsapp-automation-pro-v2"

    def up(self, *, wait: bool = True) -> None:
        log = (self.folder / "up.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "persistent_session", "up"],
            env=self._environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        log.close()
        if wait:
            eventually_sync(self._ready, timeout=START_SECONDS, message=f"the system did not start; see {log.name}")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NATS_", "S3_", "API_KEY"))}
        return {
            **kept,
            "DATA_DIR": str(self.data),
            "SESSION_PATH": str(self.sessions),
            "BACKUP_SESSION_PATH": str(self.saves),
            "GATEWAY_PORT": str(self.port),
            **self.environment,
        }

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "up.log").read_text()[-3000:]
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return (self.data / "keys" / "api-key").read_text().strip()

    def get(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}{OLD_API}", headers={"X-API-Key": self.key}, timeout=6)
        return dict(answer.json())

    def post(self, action: str, *, key: str | None = None, **fields: Any) -> httpx.Response:
        headers = {"X-API-Key": self.key} | ({"Idempotency-Key": key} if key else {})
        return httpx.post(f"{self.url}{OLD_API}", json={"action": action, **fields}, headers=headers, timeout=8)

    def last_log_lines(self, count: int = 40) -> list[tuple[str, str]]:
        """(name, last lines) of what the supervisor printed and of the log of each process."""
        logs = [*self.folder.glob("up.log"), *sorted((self.data / "logs").glob("*.log"))]
        return [(log.name, "\n".join(log.read_text(errors="replace").splitlines()[-count:])) for log in logs]

    def state(self) -> str:
        """The state that a running worker reports; "" while none does, whatever a killed worker reported last."""
        try:
            status = self.get()["status"]
            return str(status["state"]) if status["workerAlive"] else ""
        except (httpx.TransportError, KeyError, ValueError):
            return ""

    def until(self, *states: str, timeout: float = 45.0) -> str:
        def reached() -> str | None:
            state = self.state()
            return state if state in states else None

        return str(eventually_sync(reached, timeout=timeout, message=f"never {states}, but {self.state()}"))

    def processes(self) -> list[psutil.Process]:
        """Every process of this system, the supervisor and the browsers included."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("DATA_DIR") == str(self.data):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def kill_everything(self) -> None:
        """SIGKILL, all at once, as a power cut does it to the processes."""
        victims = self.processes()
        for process in victims:
            _kill(process)
        psutil.wait_procs(victims, timeout=10)
        if self._process is not None:
            self._process.wait(timeout=10)
            self._process = None
        assert not self.processes()

    def stop(self, *, timeout: float = 30.0) -> int:
        """As Ctrl-C does it; the supervisor's exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(timeout=timeout)
        finally:
            self._process = None

    def end(self) -> None:
        """By SIGKILL, which takes no time. The tests of an orderly stop call `stop`."""
        while victims := self.processes():
            for process in victims:
                _kill(process)
            psutil.wait_procs(victims, timeout=10)
        if self._process is not None:
            self._process.wait(timeout=10)

    def cli(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "persistent_session", *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def log_of(self, service: str) -> list[dict[str, Any]]:
        lines = (self.data / "logs" / f"{service}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.kill()


def link(system: System, phone: Phone) -> None:
    """From a started system to a linked, connected one."""
    system.until("pairing")
    eventually_sync(lambda: system.get()["status"]["qrCode"], timeout=20, message="no QR was shown")
    phone.scan()
    system.until("connected")
