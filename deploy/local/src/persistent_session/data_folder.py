"""The names of everything in DATA_DIR. A name may not change, because the next start must find keys and data again."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

LONGEST_TEMP = 60
"""Bytes of a temp folder's path. Browsers put sockets some 45 bytes below it, and a socket's path takes 107 at most."""
MACHINE_TEMP = Path("/tmp")  # noqa: S108
"""Not TMPDIR, which the next start may not have, and which is as long as it likes."""


@dataclass(frozen=True)
class DataFolder:
    """The data folder of one system, at an absolute `path`."""

    path: Path

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    def key(self, name: str) -> Path:
        """The file of the secret `name` of the table of services."""
        return self.keys / name

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    def volume(self, name: str) -> Path:
        """The folder of a volume of the table of services that no setting places elsewhere."""
        return self.path / name

    @property
    def run(self) -> Path:
        """What only the present run needs, and the ports, which the next one takes again."""
        return self.path / "run"

    @property
    def temp(self) -> Path:
        """The temp folder of all processes of the system; in the machine's where its path would be too long."""
        inside = self.run / "tmp"
        if len(os.fsencode(inside)) <= LONGEST_TEMP:
            return inside
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        return MACHINE_TEMP / f"persistent-session-{digest}"

    @property
    def lock_file(self) -> Path:
        return self.run / "lock"

    @property
    def running_stack(self) -> Path:
        return self.run / "stack.json"

    @property
    def processes(self) -> Path:
        return self.run / "processes.json"

    @property
    def ports(self) -> Path:
        return self.run / "ports.json"

    @property
    def nats_config(self) -> Path:
        return self.run / "nats.conf"

    @property
    def standin_ready(self) -> Path:
        return self.run / "standin.json"

    @property
    def api_key_shown(self) -> Path:
        """Exists once the terminal has shown the API key."""
        return self.run / "api-key-shown"
