"""Which processes of this machine run a browser on a profile, and the marks that a browser leaves in it.

The processes are asked, because Chromium's own SingletonLock says too little: the headless shell makes none, the lock
of another host cannot be judged, and the kernel uses a pid again. A process runs on a profile when its command line
holds `--user-data-dir=<folder>` and that folder is the profile, after symbolic links and, for a relative folder, from
the working folder of the process. `--user-data-dir <folder>` does not count: Chromium reads a value after `=` only and
takes a word after a blank for a page to open. Chromium's children may rewrite their command line into one text, and
some carry the switch too; `--type=` tells them from the main process.

The command line and the owner of every user's process can be read on Linux; the working folder of another user's
process cannot, so a relative folder there is never recognised.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from browser_worker.domain.profile_rules import SINGLETONS
from shared.runtime import get_logger

_SWITCH = "--user-data-dir="

log = get_logger()


@dataclass(frozen=True)
class ProcessOnProfile:
    """A process as it was found; it may end at any moment."""

    pid: int
    command: tuple[str, ...]
    """The arguments; a single text when the process has rewritten them."""
    owner: int
    """Numeric user id."""

    @property
    def is_main(self) -> bool:
        """Whether this is the browser itself and none of its children."""
        return not any(text.startswith("--type=") or " --type=" in text for text in self.command)

    @property
    def may_be_signalled(self) -> bool:
        """Whether this worker may stop and kill the process."""
        return os.geteuid() in (0, self.owner)


def processes_on(profile: Path) -> list[ProcessOnProfile]:
    """Every living process that runs on `profile`, this process excepted. Zombies have no command line any more."""
    wanted = os.path.realpath(profile)
    return [found for pid in psutil.pids() if pid != os.getpid() and (found := _on(pid, wanted)) is not None]


def clear_singletons(profile: Path) -> None:
    """Remove Chromium's Singleton files, which would keep a browser from starting when another host made them. Call
    this only while the profile's lock is held and no browser runs on the profile."""
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


def _on(pid: int, wanted: str) -> ProcessOnProfile | None:
    try:
        command = _command(pid)
        if any(os.path.realpath(_absolute(folder, pid)) == wanted for folder in _folders(command)):
            return ProcessOnProfile(pid, command, owner=_owner(pid))
    except OSError:
        return None
    return None


def _command(pid: int) -> tuple[str, ...]:
    """psutil is not asked, because it cuts a rewritten command line at every blank."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
        data = file.read().rstrip(b"\0")
    return tuple(os.fsdecode(part) for part in data.split(b"\0"))


def _folders(command: tuple[str, ...]) -> Iterator[str]:
    """The folders that a command line may mean."""
    if len(command) > 1:
        yield from (text.removeprefix(_SWITCH) for text in command if text.startswith(_SWITCH) and text != _SWITCH)
    elif f" {_SWITCH}" in command[0]:
        rest = command[0].split(f" {_SWITCH}", 1)[1]
        yield rest
        yield rest.split(" --", 1)[0]


def _absolute(folder: str, pid: int) -> str:
    """Raises OSError when the working folder of the process cannot be read."""
    return folder if folder.startswith("/") else os.path.join(os.readlink(f"/proc/{pid}/cwd"), folder)  # noqa: PTH115, PTH118


def _owner(pid: int) -> int:
    return os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116
