"""Workers that are killed (no clean-up runs) just before their n-th change of names on disk.

Each line of standard input, `n<TAB>what<TAB>root`, forks a worker. Each line of output is the exit code of a worker, 9
when it was killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from browser_worker.adapters.profile.store import DiskProfileStore
from shared.clock import SystemClock


def die_at(step: int) -> None:
    left = step

    def dying(change: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(9)
            return change(*arguments, **named)

        return wrapped

    for name in ("rename", "replace", "unlink", "rmdir", "mkdir"):
        setattr(os, name, dying(getattr(os, name)))


async def main(root: Path, step: int, what: str) -> None:
    store = DiskProfileStore(root / "sessions", root / "saves", "shop", SystemClock())
    async with store.lock():
        save = (await store.saves())[0]
        die_at(step)
        match what:
            case "restore":
                await store.restore_save(save, browser_version="156.0.8078.79")
            case "save":
                await store.add_save(await store.snapshot_at_rest(epoch=1, browser_version="156.0.8078.79"))
            case "wipe":
                await store.wipe()
            case _:
                raise ValueError(what)


for line in sys.stdin:
    number, wanted, folder = line.rstrip("\n").split("\t")
    worker = os.fork()
    if not worker:
        asyncio.run(main(Path(folder), int(number), wanted))
        os._exit(0)
    print("code", os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]), flush=True)
