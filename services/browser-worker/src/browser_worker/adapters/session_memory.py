"""The small record that outlives the process and a wipe: `session.json` beside the profile."""

from __future__ import annotations

from pathlib import Path

import msgspec

from browser_worker.ports import Remembered

from .durable_files import private_folder, write_durably


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
        private_folder(self._path.parent)
        write_durably(self._path, msgspec.json.encode(remembered))
