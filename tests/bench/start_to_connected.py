"""From launching the browser to CONNECTED being read, for a linked session, with and without filler modules.

`python tests/bench/start_to_connected.py [RUNS]`; the driver runs already, as in a worker that restarts a browser.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from browser_stage import browser_stage

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.domain.reading import PageState

GOAL_SECONDS = 1.0


async def seconds_to_connected(browser: ChromiumBrowser, profile: Path) -> float:
    """Read as the worker does: at once, and again at each wake."""
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    browser.on_wake(woken.set)
    began = loop.time()
    await browser.launch(profile, None)
    while (await browser.read()).state is not PageState.CONNECTED:
        woken.clear()
        await asyncio.wait_for(woken.wait(), 20)
    return loop.time() - began


async def measure(fillers: int, runs: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder, browser_stage(Path(folder), "--fillers", str(fillers)) as stage:
        async with stage.linked() as browser:
            took = []
            for _ in range(runs):
                await browser.close(timeout=5)
                took.append(await seconds_to_connected(browser, stage.profile))
            return took


async def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for fillers in (0, 13_400):
        took = await measure(fillers, runs)
        print(
            f"launch to connected, {fillers} filler modules: median {statistics.median(took):.2f} s, "
            f"slowest {max(took):.2f} s, {statistics.median(took) / GOAL_SECONDS:.2f} of the goal of {GOAL_SECONDS} s"
        )


if __name__ == "__main__":
    asyncio.run(main())
