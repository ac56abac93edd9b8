"""A stand-in as a child process, for tests: start, kill, start again on the same ports with the same memory."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from shared.clock import sleep_blocking
from standin.client import Phone
from standin.doors import VARIABLE

START_SECONDS = 20.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What the ready file says."""

    pid: int
    web_url: str
    control_url: str
    tls_port: int | None


class StandInProcess:
    """`with StandInProcess(folder, "--tls") as standin: standin.phone.scan()`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._ports: tuple[str, ...] = ()
        self.key = secrets.token_urlsafe(32)
        self._process: subprocess.Popen[bytes] | None = None
        self.ready: Ready
        self.phone: Phone

    @property
    def web_url(self) -> str:
        return self.ready.web_url

    @property
    def phone_url(self) -> str:
        """The virtual phone's page, for a browser; the fragment, which no browser sends, holds the key."""
        return f"{self.web_url}/phone#key={self.key}"

    def start(self) -> Self:
        """Returns when the stand-in serves. Later starts take the ports of the first. Raises `RuntimeError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        ready_file = self._folder / "ready.json"
        ready_file.unlink(missing_ok=True)
        folders = ("--state-dir", str(self._folder / "state"), "--ready-file", str(ready_file))
        with (self._folder / "standin.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "standin", *folders, *self._options, *self._ports], stdout=log, stderr=log,
                env=os.environ | {VARIABLE: self.key},
            )  # fmt: skip
        self._await(ready_file)
        self.ready = msgspec.convert(json.loads(ready_file.read_text()), Ready)
        self.phone = Phone(self.ready.control_url, self.key)
        self._ports = self._fixed_ports()
        return self

    def stop(self) -> None:
        """SIGTERM, then wait."""
        self._end(kill=False)

    def kill(self) -> None:
        """SIGKILL. What the stand-in knew is on disk already."""
        self._end(kill=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _await(self, ready_file: Path) -> None:
        assert self._process is not None
        waited = 0.0
        while not ready_file.exists():
            if self._process.poll() is not None or waited > START_SECONDS:
                log = (self._folder / "standin.log").read_text()
                self._end(kill=True)
                raise RuntimeError(f"the stand-in did not start: {log[-2000:]}")
            sleep_blocking(POLL_SECONDS)
            waited += POLL_SECONDS

    def _end(self, *, kill: bool) -> None:
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(STOP_SECONDS)
        self._process = None
        if hasattr(self, "phone"):
            self.phone.close()

    def _fixed_ports(self) -> tuple[str, ...]:
        ports = {
            "--port": _port(self.ready.web_url),
            "--control-port": _port(self.ready.control_url),
            "--tls-port": self.ready.tls_port or 0,
        }
        return tuple(part for name, port in ports.items() if port for part in (name, str(port)))


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])
