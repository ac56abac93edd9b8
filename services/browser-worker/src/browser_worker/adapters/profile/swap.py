"""Putting a finished profile in place of the live one by two renames, so that a kill between them is mended.

The plan is written durably first and says what is to happen; from then on the swap is only ever finished, never undone,
because what comes in was verified before. The trap: call `finish` before anything else looks at the profile.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from browser_worker.adapters.durable_files import move_durably, private_folder, remove_tree, sync_folder, write_durably

from .paths import ProfilePaths


class ProfileSwap:
    def __init__(self, paths: ProfilePaths) -> None:
        self._paths = paths

    def replace_live(self, incoming: Path) -> None:
        """`incoming` (in the staging folder, durable, verified) becomes the live profile; the present one is set aside,
        unless one is set aside already: that one is the original, and the present one came from a copy."""
        plan = {"incoming": os.fspath(incoming.relative_to(self._paths.state)), "aside": self._free_name()}
        write_durably(self._paths.swap_plan, json.dumps(plan).encode())
        self.finish()

    def set_aside(self) -> None:
        """Move the live profile aside, if there is one, with nothing in its place; one rename, nothing is removed."""
        self._move_aside(self._free_name())

    def finish(self) -> bool:
        """End a swap that was interrupted; false when there was none."""
        plan = self._plan()
        if plan is None:
            return False
        incoming = self._paths.state / plan["incoming"]
        if incoming.exists():
            self._move_aside(plan["aside"])
            move_durably(incoming, self._paths.live)
        self._paths.swap_plan.unlink()
        sync_folder(self._paths.state)
        self._drop_copies()
        return True

    def drop_set_aside(self) -> None:
        remove_tree(self._paths.aside)

    def _plan(self) -> dict[str, str] | None:
        try:
            plan = json.loads(self._paths.swap_plan.read_bytes())
            return {"incoming": str(plan["incoming"]), "aside": str(plan["aside"])}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            self._paths.swap_plan.unlink()  # written by rename, so this one was never ours to follow
            return None

    def _move_aside(self, name: str) -> None:
        if os.path.lexists(self._paths.live):
            private_folder(self._paths.aside)
            move_durably(self._paths.live, self._paths.aside / name)

    def _free_name(self) -> str:
        names = self._names()
        return f"{int(names[-1]) + 1:04d}" if names else "0000"

    def _drop_copies(self) -> None:
        for name in self._names()[1:]:
            remove_tree(self._paths.aside / name)

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self._paths.aside.iterdir() if path.name.isdigit())
        except FileNotFoundError:
            return []
