"""The lock that keeps a second system off the same data folder.

The kernel holds the lock (`flock`) and releases it however the holder dies. The file also names the holder's process,
for the error that a second start gives.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from persistent_session.data_folder import DataFolder
from persistent_session.errors import CliError, ExitCode
from shared.clock import sleep_blocking

_TRIES, _PAUSE_SECONDS = 5, 0.05


@contextmanager
def locked(data: DataFolder) -> Iterator[None]:
    """Own the data folder while the context is open. Makes the folder. Raises CliError when another system owns it."""
    try:
        data.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        data.run.mkdir(exist_ok=True, mode=0o700)
        handle = os.open(data.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CliError(f"the data folder {data.path} cannot be used: {error.strerror}", hint="set DATA_DIR") from error
    try:
        _acquire(handle, data)
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, data: DataFolder) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep_blocking(_PAUSE_SECONDS)  # the holder may be a command that only looks (`is_locked`)
        else:
            return
    holder = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
    raise CliError(
        f"a system already runs on {data.path} (process {holder})",
        hint="stop that system with Ctrl-C, or give this one another DATA_DIR, SESSION_PATH, BACKUP_SESSION_PATH "
        "and GATEWAY_PORT",
        code=ExitCode.BUSY,
    )


def is_locked(data: DataFolder) -> bool:
    """Whether a system runs on the data folder now."""
    try:
        handle = os.open(data.lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
