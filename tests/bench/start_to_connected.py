"""From the launch of the browser until the worker reads CONNECTED, for a linked session.

`python tests/bench/start_to_connected.py [RUNS]`. The page has no filler modules, and then as many as the real site.
The driver runs already, as in a worker that restarts a browser.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from browser_stage import browser_stage
from goals import START, Outcome, conclude

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.domain.reading import PageState

FILLERS = (0, 13_400)


async def seconds_to_connected(browser: ChromiumBrowser, profile: Path) -> float:
    """Reads as the worker does: at once, and again at each wake."""
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


def judge(took: dict[int, list[float]]) -> list[Outcome]:
    """`took`: number of filler modules → seconds of each run. The median counts."""
    return [
        START.judge(statistics.median(seconds), beside=f"{fillers} filler modules; slowest {max(seconds):.2f} s")
        for fillers, seconds in took.items()
    ]


async def main(runs: int) -> int:
    return conclude(judge({fillers: await measure(fillers, runs) for fillers in FILLERS}))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
