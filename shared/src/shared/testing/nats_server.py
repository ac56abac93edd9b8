"""A real nats-server with JetStream on a port of its own, for tests."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

from .eventually import eventually_sync
from .ports import free_ports
from .process import Process, program

START_SECONDS = 20.0


class NatsServer:
    """Port and data survive `restart`; `lose_data` deletes everything, as a lost volume would."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._config: str | None = None
        self._ports: list[int] = []
        self._process: Process | None = None

    def start(self, folder: Path, config: str | None = None) -> NatsServer:
        """`config`: text of a configuration file without ports and store, such as users and permissions."""
        self._folder, self._config = folder, config
        folder.mkdir(parents=True, exist_ok=True)
        self._ports = free_ports(2)
        self._launch()
        return self

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._ports[0]}"

    @property
    def monitor_url(self) -> str:
        return f"http://127.0.0.1:{self._ports[1]}"

    @property
    def process(self) -> Process:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def restart(self) -> None:
        """Stop the server if it runs, and start it on the same port and data."""
        self.stop()
        self._launch()

    def lose_data(self) -> None:
        """Only while the server is stopped."""
        shutil.rmtree(self._home / "store", ignore_errors=True)

    @property
    def _home(self) -> Path:
        if self._folder is None:
            raise RuntimeError("not started")
        return self._folder

    def _launch(self) -> None:
        command = [
            program("nats-server"), "-a", "127.0.0.1", "-p", str(self._ports[0]), "-m", str(self._ports[1]),
            "-js", "-sd", str(self._home / "store"), "--ports_file_dir", str(self._home),
        ]  # fmt: skip
        if self._config is not None:
            file = self._home / "nats.conf"
            file.write_text(self._config)
            command += ["-c", str(file)]
        for stale in self._home.glob("nats-server_*.ports"):
            stale.unlink()
        self._process = Process(command, log_file=self._home / "nats.log")
        eventually_sync(self._ready, timeout=START_SECONDS, interval=0.01, message="nats-server ready")

    def _ready(self) -> bool:
        if not self.process.alive:
            raise RuntimeError(f"nats-server ended:\n{self.process.log_tail()}")
        file = self._home / f"nats-server_{self.process.pid}.ports"
        if not file.exists():
            return False
        try:
            json.loads(file.read_text())
        except ValueError:
            return False
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._ports[0])) == 0
