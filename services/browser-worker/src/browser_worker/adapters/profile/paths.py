"""Where the files of one session lie on disk.

`state` and `live` lie side by side, because a swap by rename needs both on one file system.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.contracts.identifiers import session_id


@dataclass(frozen=True)
class ProfilePaths:
    """`live`: the profile, where the old system had it too. `state`: the worker's own folder beside it. `saves`: the
    local copies."""

    live: Path
    state: Path
    saves: Path

    @classmethod
    def of(cls, session_path: Path, saves_path: Path, session: str) -> ProfilePaths:
        """Raises BadIdentifier: an id becomes part of paths."""
        name = f"session-{session_id(session)}"
        root = session_path.absolute()
        return cls(live=root / name, state=root / f"{name}.worker", saves=saves_path.absolute() / name)

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    @property
    def outbox(self) -> Path:
        return self.state / "outbox.sqlite"

    @property
    def durable_record(self) -> Path:
        return self.state / "session.json"

    @property
    def staging(self) -> Path:
        return self.state / "staging"

    @property
    def aside(self) -> Path:
        """Holds the profile that a restore has set aside."""
        return self.state / "aside"

    @property
    def swap_plan(self) -> Path:
        """Exists while one profile replaces another."""
        return self.state / "swap.json"

    @property
    def import_done_mark(self) -> Path:
        """Exists once nothing is to be imported from the old system any more."""
        return self.state / "import-done"
