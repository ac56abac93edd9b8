"""The file that says what runs on a data folder, for the commands (`run/stack.json`).

The file holds no secrets. A killed system leaves the file behind, so a reader believes it only while the lock is held.
"""

from __future__ import annotations

import msgspec

from persistent_session.data_folder import DataFolder
from persistent_session.stack.lock_file import is_locked
from persistent_session.stack.private_file import write_private


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of the demo's stand-in."""

    web_url: str
    control_url: str
    phone_url: str = ""
    """The virtual phone's page, for a browser on this machine."""


class RunningStack(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file."""

    pid: int
    gateway_url: str
    page_url: str
    data_dir: str
    session_path: str
    backup_session_path: str
    client_id: str
    demo: bool = False
    ready: bool = False
    """False while the system starts."""
    own_api_key: bool = False
    """The user gave the API key, so the data folder does not hold it."""
    processes: dict[str, int] = {}
    """Process ids by name; 0 for a process that does not run now."""
    http_ports: dict[str, int] = {}
    standin: StandIn | None = None


def write(data: DataFolder, stack: RunningStack) -> None:
    write_private(data.running_stack, msgspec.json.format(msgspec.json.encode(stack), indent=1).decode())


def remove(data: DataFolder) -> None:
    data.running_stack.unlink(missing_ok=True)


def read(data: DataFolder) -> RunningStack | None:
    """The system that runs on the data folder; None when there is none."""
    if not is_locked(data):
        return None
    try:
        return msgspec.json.decode(data.running_stack.read_bytes(), type=RunningStack)
    except (OSError, msgspec.DecodeError):
        return None
