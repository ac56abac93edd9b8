"""The lock that lets one process touch a profile: an flock, and respect for a browser of another program.

Two workers on one profile would damage it, so the holder has an exclusive flock on a file beside the profile. The
kernel frees the flock when its process dies, however it dies, and no file on disk has to be judged stale. The lock
file itself is never removed: a second process could lock the new file while the first still holds the removed one.

The flock binds workers only. The old system knows nothing of it, so after the flock is taken the processes of this
machine are asked whether a browser runs on the profile. A browser that this worker's earlier life left behind is no
obstacle, because the flock proves that its worker is dead; any other browser is. Chromium's Singleton files are removed
only after both, by whoever holds the lock.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from browser_worker.adapters.browsers_on_profile import ProcessOnProfile, processes_on
from browser_worker.adapters.durable_files import private_folder
from shared.contracts.errors import Conflict


@contextmanager
def locked(lock_file: Path) -> Iterator[None]:
    """Hold the flock. Raises Conflict at once when another process holds it."""
    private_folder(lock_file.parent)
    descriptor = _open_locked(lock_file)
    try:
        _write_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def _write_holder(descriptor: int) -> None:
    """Only for the error message of the next process; a full disk must not keep a session from starting."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{socket.gethostname()} {os.getpid()}\n".encode())


def _open_locked(lock_file: Path) -> int:
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise
        raise Conflict(
            "another worker holds this session's profile",
            hint=f"stop the other worker ({holder or 'unknown'}) or give it another SESSION_PATH",
        ) from None
    return descriptor


def refuse_living_browser(profile: Path, *, orphans_allowed: bool) -> None:
    """Raises Conflict when a browser runs on the profile. `orphans_allowed`: a browser that an earlier life of a worker
    left behind does not count."""
    for found in processes_on(profile):
        if found.is_main and not (orphans_allowed and _is_orphan(found)):
            raise Conflict(
                "a browser of another program runs on this profile",
                hint="stop the old system first: two browsers on one session damage it",
            )


def _is_orphan(found: ProcessOnProfile) -> bool:
    """With the flock in hand, a browser that is driven through a pipe, as this worker drives its own, has lost its
    worker. The old system's library drives its browser through a port. Another user's browser is never ours."""
    return found.may_be_signalled and any("--remote-debugging-pipe" in text for text in found.command)
