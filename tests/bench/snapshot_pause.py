"""How long a browser stands still for a snapshot, against a plain copy of the same profile in the same run.

    python tests/bench/snapshot_pause.py [megabytes …]      (16 and 100 unless told)

Prints for each size the median of eleven pauses each way, while the page writes on. The browser is frozen
and thawed as the worker does it; a freeze ends when the last thread stands still.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "integration/worker_storage"))

from goals import PAUSE, Outcome, conclude
from writing_browser import browser_on, playwright_running, serving

from browser_worker.adapters.browser.processes import BrowserProcesses
from browser_worker.adapters.profile.store import DiskProfileStore
from shared.clock import SystemClock

ROUNDS = 11
RECORD_BYTES = 50_000
CLOCK = SystemClock()


def plain_pause(browser: BrowserProcesses, profile: Path, place: Path) -> float:
    """Milliseconds for freeze, a copy of every file, thaw."""
    started = CLOCK.monotonic()
    freeze(browser)
    try:
        shutil.copytree(profile, place, symlinks=True)
    finally:
        browser.thaw()
    pause = (CLOCK.monotonic() - started) * 1000
    shutil.rmtree(place)
    return pause


def freeze(browser: BrowserProcesses) -> None:
    if not browser.freeze():
        print("snapshot_pause a thread did not stop in time", file=sys.stderr)


def judge(megabytes: float, pauses: list[float], copies: list[float]) -> list[Outcome]:
    """Milliseconds of each snapshot's pause and of each plain copy, of a profile of this size. The medians count."""
    beside = f"{megabytes:.0f} MB; worst {max(pauses):.1f} ms; a plain copy {statistics.median(copies):.1f} ms"
    return [PAUSE.judge(statistics.median(pauses), beside=beside)]


async def measure(root: Path, megabytes: int, url: str) -> list[Outcome]:
    store = DiskProfileStore(root / "sessions", root / "saves", "bench", CLOCK)
    async with store.lock(), playwright_running() as playwright, browser_on(playwright, store.profile, url) as browser:
        await browser.link()
        await browser.written(megabytes * 1_000_000 // RECORD_BYTES, RECORD_BYTES)
        await browser.start_writing(3000, pause_ms=1)
        processes = BrowserProcesses(store.profile)
        processes.refresh()
        plain, ours = [], []
        for _ in range(ROUNDS):
            await CLOCK.sleep(0.4)
            plain.append(await asyncio.to_thread(plain_pause, processes, store.profile, root / "plain"))
            await CLOCK.sleep(0.4)
            snapshot = await store.snapshot(
                freeze=lambda: freeze(processes), thaw=processes.thaw, epoch=1, browser_version="156.0.8078.79"
            )
            await store.add_save(snapshot)
            ours.append(snapshot.pause_ms)
        size = (await store.inspect()).bytes / 1e6
    return judge(size, ours, plain)


async def main(sizes: list[int]) -> int:
    outcomes: list[Outcome] = []
    async with serving() as url:
        for megabytes in sizes:
            with tempfile.TemporaryDirectory() as folder:
                outcomes += await measure(Path(folder), megabytes, url)
    return conclude(outcomes)


if __name__ == "__main__":
    sys.exit(asyncio.run(main([int(size) for size in sys.argv[1:]] or [16, 100])))
