"""The lock that lets one process touch a profile: an flock of our own, and respect for a browser that runs on it.

Chromium's own SingletonLock says too little (headless-shell makes none, another host's cannot be judged, pids are used
again), so the processes of this machine are asked which of them runs on the profile. The trap: the Singleton files may
be removed only while the flock is held, and the lock file itself is never removed.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from browser_worker.adapters.durable_files import private_folder
from browser_worker.domain.profile_rules import SINGLETONS
from shared.contracts.errors import Conflict
from shared.runtime import get_logger

_SWITCH = "--user-data-dir="

log = get_logger()


def driven_through_a_pipe(command: list[str]) -> bool:
    """Whether a browser was started as this worker starts them. With the flock in hand it can only be an orphan of an
    earlier life; the old system's library drives its browser through a port."""
    return any("--remote-debugging-pipe" in text for text in command)


@contextmanager
def locked(lock_file: Path) -> Iterator[None]:
    """Hold the flock. Raises Conflict at once when another live process holds it."""
    private_folder(lock_file.parent)
    descriptor = _open_locked(lock_file)
    try:
        _note_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def _note_holder(descriptor: int) -> None:
    """For the other one's error message alone: a full disk must not keep a session from starting."""
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


def refuse_living_browser(profile: Path, ours: Callable[[list[str]], bool] = driven_through_a_pipe) -> None:
    """Raises Conflict when a browser runs on the profile whose command line is not one of `ours`."""
    if any(not ours(command) for command in browsers_on(profile)):
        raise Conflict(
            "a browser of another program runs on this profile",
            hint="stop the old system first: two browsers on one session damage it",
        )


def browsers_on(profile: Path) -> list[list[str]]:
    """Command lines of this machine's main browser processes whose user-data folder is `profile`."""
    wanted = os.path.realpath(profile)
    return [command for command in _commands() if _runs_on(command, wanted)]


def _commands() -> Iterator[list[str]]:
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process.cmdline()
        except psutil.Error:
            continue


def _runs_on(command: list[str], profile: str) -> bool:
    """Chromium may rewrite its command line into one text, so a switch may lie anywhere in it."""
    is_child = any(text.startswith("--type=") or " --type=" in text for text in command)
    return not is_child and any(_names_folder(text, profile) for text in command if _SWITCH in text)


def _names_folder(text: str, profile: str) -> bool:
    folder = text.split(_SWITCH, 1)[1]
    return any(os.path.realpath(part) == profile for part in (folder, folder.split(" --", 1)[0]))


def clear_singletons(profile: Path) -> None:
    """Remove Chromium's Singleton files. Only while the flock is held and no browser lives on the profile."""
    holder = singleton_holder(profile)
    for name in SINGLETONS:
        (profile / name).unlink(missing_ok=True)
    if holder:
        log.info("stale_singleton_removed", other_host=holder[0] != socket.gethostname(), pid=holder[1])


def singleton_holder(profile: Path) -> tuple[str, int] | None:
    """Host and pid that SingletonLock names; None when there is none or it cannot be read."""
    try:
        host, _, pid = (profile / SINGLETONS[0]).readlink().name.rpartition("-")
        return host, int(pid)
    except (OSError, ValueError):
        return None
