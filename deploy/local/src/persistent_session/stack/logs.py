"""The services' log files: rotated by size, and their warnings picked out for the terminal.

Trap: a log line may be anything; only the fields that our own code words reach the terminal, never a traceback.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO

ROTATE_BYTES = 5 * 1024 * 1024
_LOUD = {"warning", "error", "critical"}
_SHOWN = 160


def open_log(path: Path) -> IO[bytes]:
    """The log for appending; a big one is put aside first, and one older copy is kept."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and path.stat().st_size > ROTATE_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def shorten_running(path: Path) -> bool:
    """Put a copy aside and empty the file while its writer goes on (it appends, so it continues at the start)."""
    try:
        if path.stat().st_size <= ROTATE_BYTES * 4:
            return False
        path.with_name(path.name + ".1").write_bytes(path.read_bytes())
        os.truncate(path, 0)
    except OSError:
        return False
    return True


def last_lines(path: Path, count: int = 5) -> list[str]:
    """The end of a log, for the person whose start failed."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line.strip() for line in lines if line.strip()][-count:]


def loud_part(line: str) -> str:
    """What the terminal shows of a log line: "" unless it is a warning or worse in our JSON form."""
    if not line.startswith("{"):
        return ""
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(entry, dict) or str(entry.get("level")) not in _LOUD:
        return ""
    named = [str(entry[key]) for key in ("event", "reason", "code", "error", "hint") if entry.get(key)]
    return f"{entry['level']}: {' · '.join(named)}"[:_SHOWN]


class Tail:
    """The lines that were added to a file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def new_lines(self) -> list[str]:
        try:
            if self._path.stat().st_size < self._at:
                self._at, self._rest = 0, b""
            with self._path.open("rb") as file:
                file.seek(self._at)
                added = file.read(1024 * 1024)
        except OSError:
            return []
        self._at += len(added)
        *lines, self._rest = (self._rest + added).split(b"\n")
        return [line.decode(errors="replace") for line in lines]
