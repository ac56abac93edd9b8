"""The small record that outlives the process and a wipe: `session.json` beside the profile."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from browser_worker.ports import Remembered


class FileMemory:
    """A damaged file reads as the defaults: everything in it can be learnt again, the epoch from the store."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Remembered:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Remembered)
        except (OSError, msgspec.DecodeError):
            return Remembered()

    def store(self, remembered: Remembered) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(remembered))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        _sync_folder(self._path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
