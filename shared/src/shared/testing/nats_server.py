"""A real nats-server with JetStream on a port of its own, for tests."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

from shared.bus.credentials import new_seed, public_key

from .eventually import eventually_sync
from .identities import SEED
from .ports import free_port
from .process import Process, program

START_SECONDS = 20.0


class NatsServer:
    """Port and data survive `restart`; `lose_data` deletes everything, as a lost volume would. Clients need no key, but
    may show the key of the tests; who shows `monitor_seed` is the user of the system account."""

    def __init__(self) -> None:
        self.monitor_seed = new_seed()
        self._folder: Path | None = None
        self._config: str | None = None
        self._port = 0
        self._process: Process | None = None

    def start(self, folder: Path, config: str | None = None) -> NatsServer:
        """`config`: text of a configuration file without ports and store, such as users and permissions, in place of
        the users that are described above."""
        self._folder, self._config = folder, config
        folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        self._launch()
        return self

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

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
        file = self._home / "nats.conf"
        file.write_text(self._open_to_all() if self._config is None else self._config)
        command = [
            program("nats-server"), "-a", "127.0.0.1", "-p", str(self._port), "-js", "-sd", str(self._home / "store"),
            "--ports_file_dir", str(self._home), "-c", str(file),
        ]  # fmt: skip
        for stale in self._home.glob("nats-server_*.ports"):
            stale.unlink()
        self._process = Process(command, log_file=self._home / "nats.log")
        eventually_sync(self._ready, timeout=START_SECONDS, interval=0.01, message="nats-server ready")

    def _open_to_all(self) -> str:
        return f"""\
authorization {{ users: [ {{ user: anybody, password: anybody }}, {{ nkey: {public_key(SEED)} }} ] }}
no_auth_user: anybody
accounts {{ SYS: {{ users: [ {{ nkey: {public_key(self.monitor_seed)} }} ] }} }}
system_account: SYS
"""

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
            return probe.connect_ex(("127.0.0.1", self._port)) == 0
