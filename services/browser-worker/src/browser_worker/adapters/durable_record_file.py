"""The durable session record in a file, `session.json` beside the profile. It outlives the process and a wipe."""

from __future__ import annotations

from pathlib import Path

import msgspec

from browser_worker.adapters.durable_files import private_folder, write_durably
from browser_worker.domain.session import DurableRecord


class DurableRecordFile:
    """Fulfils ports.DurableRecordStore. A damaged file reads as the defaults, because everything in the record can be
    learnt again: the epoch from the object store, the rest from the page."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> DurableRecord:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=DurableRecord)
        except (OSError, msgspec.DecodeError):
            return DurableRecord()

    def write(self, record: DurableRecord) -> None:
        private_folder(self._path.parent)
        write_durably(self._path, msgspec.json.encode(record))
