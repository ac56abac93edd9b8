"""The log files of the processes: shortened by size, and their warnings picked out for the terminal.

The processes write into their files directly, so a log is complete even if the supervisor dies; therefore rotation
cannot be a logging handler's. The trap: a log line may hold anything, so the terminal shows only fields that our own
code words, never a traceback.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO

ROTATE_BYTES = 5 * 1024 * 1024
"""A larger log is moved aside when its process starts."""
TRUNCATE_BYTES = 4 * ROTATE_BYTES
"""A larger log is copied aside and emptied while its process runs."""
_WARNING_LEVELS = {"warning", "error", "critical"}
_SHOWN_FIELDS = ("event", "reason", "code", "error", "hint")
_SHOWN_CHARACTERS = 160


def open_log(path: Path) -> IO[bytes]:
    """The log, for appending. A large one is moved aside first; one older log is kept."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and path.stat().st_size > ROTATE_BYTES:
        path.replace(_older(path))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def copy_and_truncate(path: Path) -> bool:
    """Copy a large log aside and empty it under its writer, which appends and so goes on at the start."""
    try:
        if path.stat().st_size <= TRUNCATE_BYTES:
            return False
        _older(path).write_bytes(path.read_bytes())
        os.truncate(path, 0)
    except OSError:
        return False
    return True


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def last_lines(path: Path, count: int = 5) -> list[str]:
    """The end of a log, for the person whose start failed."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line.strip() for line in lines if line.strip()][-count:]


def warning_text(line: str) -> str:
    """What the terminal shows of a log line; "" unless the line is a warning or worse in our JSON form."""
    if not line.startswith("{"):
        return ""
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(entry, dict) or str(entry.get("level")) not in _WARNING_LEVELS:
        return ""
    shown = [str(entry[key]) for key in _SHOWN_FIELDS if entry.get(key)]
    return f"{entry['level']}: {' · '.join(shown)}"[:_SHOWN_CHARACTERS]


class Tail:
    """The lines that were added to a file since the last call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = path.stat().st_size if path.exists() else 0
        self._partial = b""
        """The beginning of a line whose end is not written yet."""

    def new_lines(self) -> list[str]:
        try:
            if self._path.stat().st_size < self._position:
                self._position, self._partial = 0, b""
            with self._path.open("rb") as file:
                file.seek(self._position)
                added = file.read(1024 * 1024)
        except OSError:
            return []
        self._position += len(added)
        *lines, self._partial = (self._partial + added).split(b"\n")
        return [line.decode(errors="replace") for line in lines]
