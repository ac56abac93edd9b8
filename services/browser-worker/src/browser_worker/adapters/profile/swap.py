"""Puts a finished profile in place of the live one, so that a kill at any moment leaves a whole profile.

Two renames are needed: the live profile goes aside, and the incoming profile takes its place. No file system does both
at once, so a process that is killed between them would leave no profile at all. The plan for the swap is therefore
written durably first (`swap.json`: which folder comes in, under which name the live one goes aside). From then on the
swap is only ever finished and never undone, which is safe because the incoming profile was verified before. `finish`
reads the plan and does what is left of it: if the incoming folder still lies in staging, the live profile goes aside
when one is there, and the incoming one moves in. If it does not, both renames are done and only the plan is left.

Whoever opens the profile calls `finish` first. The profile that was set aside first is the original and stays until
the session is connected; those set aside later came from copies and go at once.
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
        """`incoming`, a durable and verified folder in the staging folder, becomes the live profile. The present
        profile goes aside; when a profile was set aside before, that profile stays and the present one is removed."""
        plan = {"incoming": os.fspath(incoming.relative_to(self._paths.state)), "aside": self._free_name()}
        write_durably(self._paths.swap_plan, json.dumps(plan).encode())
        self.finish()

    def set_aside(self) -> None:
        """Move the live profile aside, if there is one, and put nothing in its place. Removes nothing."""
        self._move_aside(self._free_name())

    def finish(self) -> bool:
        """Finish a swap that was begun; False when there was none."""
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
            self._paths.swap_plan.unlink()  # A plan of ours is written by rename and therefore whole.
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
