"""The temp folder of a system, and the sockets that its object store puts elsewhere.

Whatever a process leaves there when it is killed goes at the next start, and everything goes at a stop. The trap: in
the machine's temp folder anybody may have put a folder of the same name, so only one of our own is used.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from persistent_session.data_folder import DataFolder
from persistent_session.errors import CliError

_OWNER_ONLY = 0o700


def make_empty(data: DataFolder) -> None:
    """Raises CliError when the folder cannot be made, or belongs to somebody else."""
    folder = data.temp
    remove(data)
    try:
        folder.mkdir(parents=True, mode=_OWNER_ONLY)
        facts = folder.lstat()
    except OSError as error:
        raise CliError(
            f"the temp folder {folder} cannot be made: {error.strerror}", hint="remove what lies there"
        ) from None
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) != _OWNER_ONLY:
        raise CliError(f"the temp folder {folder} can be entered by others", hint="check the umask and who owns it")


def remove(data: DataFolder) -> None:
    """What cannot be removed stays; `make_empty` tells."""
    shutil.rmtree(data.temp, ignore_errors=True)


def remove_dead_sockets(paths: Iterable[Path]) -> None:
    """Remove the sockets that no process listens on; another system may use the others."""
    for path in paths:
        if _is_dead(path):
            with suppress(OSError):
                path.unlink()


def _is_dead(path: Path) -> bool:
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False
