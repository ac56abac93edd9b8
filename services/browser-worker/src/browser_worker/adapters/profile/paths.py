"""Where the parts of one session lie on disk.

The trap: `state` and `live` must be on one file system, or nothing can be swapped by rename; so they lie side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.contracts.identifiers import session_id


@dataclass(frozen=True)
class ProfilePaths:
    """`live` is the browser's user-data folder, the same as the old system's; `state` is our own beside it."""

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
        """Holds the profile that was set aside by a restore."""
        return self.state / "aside"

    @property
    def swap_plan(self) -> Path:
        """Exists while one profile replaces another."""
        return self.state / "swap.json"

    @property
    def settled_mark(self) -> Path:
        """Exists once it is decided that nothing of the old system is to be moved in (any more)."""
        return self.state / "settled"
