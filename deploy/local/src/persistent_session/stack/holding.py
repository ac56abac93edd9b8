"""One system a data folder: the lock, and the file that says what runs (`run/stack.json`).

The lock is the kernel's, so it ends with its holder however that dies. The file holds no secrets; who reads it must
ask whether the lock is held, for a killed system leaves the file behind.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from persistent_session.faults import Exit, Fault
from shared.clock import sleep_blocking


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    web_url: str
    control_url: str
    phone_url: str = ""
    """The virtual phone's page, for a browser on this machine."""


class RunningStack(msgspec.Struct, frozen=True, kw_only=True):
    """What `run/stack.json` says. `processes` maps names to process ids, 0 for one that is being restarted."""

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
    """True when the user gave the API key, so that it is not in the data folder."""
    processes: dict[str, int] = {}
    http_ports: dict[str, int] = {}
    standin: StandIn | None = None


def _lock_path(run_dir: Path) -> Path:
    return run_dir / "lock"


def _stack_path(run_dir: Path) -> Path:
    return run_dir / "stack.json"


@contextmanager
def hold(data_dir: Path) -> Iterator[Path]:
    """Own `data_dir` while the context is open; gives its run folder. Raises Fault when another system owns it."""
    run_dir = data_dir / "run"
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        run_dir.mkdir(exist_ok=True, mode=0o700)
        handle = os.open(_lock_path(run_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Fault(f"the data folder {data_dir} cannot be used: {error.strerror}", hint="set DATA_DIR") from error
    try:
        _take(handle, data_dir)
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield run_dir
    finally:
        os.close(handle)


def _take(handle: int, data_dir: Path) -> None:
    for _ in range(5):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep_blocking(0.05)  # it may be a command that only looked whether somebody holds it
        else:
            return
    holder = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
    raise Fault(
        f"a system already runs on {data_dir} (process {holder})",
        hint="stop that one with Ctrl-C, or give this one another DATA_DIR, SESSION_PATH, BACKUP_SESSION_PATH "
        "and GATEWAY_PORT",
        code=Exit.BUSY,
    )


def is_held(data_dir: Path) -> bool:
    """Whether a system runs on `data_dir` now."""
    try:
        handle = os.open(_lock_path(data_dir / "run"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def write_stack(run_dir: Path, stack: RunningStack) -> None:
    write_private(_stack_path(run_dir), msgspec.to_builtins(stack))


def forget_stack(run_dir: Path) -> None:
    _stack_path(run_dir).unlink(missing_ok=True)


def read_stack(data_dir: Path) -> RunningStack | None:
    """The system that runs on `data_dir`; None when there is none."""
    if not is_held(data_dir):
        return None
    try:
        return msgspec.json.decode(_stack_path(data_dir / "run").read_bytes(), type=RunningStack)
    except (OSError, msgspec.DecodeError):
        return None


def write_private(path: Path, content: dict[str, Any]) -> None:
    """JSON for the owner alone, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=1)
    draft.replace(path)
