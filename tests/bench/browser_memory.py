"""Memory of one connected session, against a new-headless Chromium with default flags on the same page in one run.

`python tests/bench/browser_memory.py`. Each browser is weighed as if alone on the machine: its anonymous and shared
memory in proportion, and each file that it maps once; plain PSS would fall with every other Chromium that runs.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from browser_stage import BrowserStage, browser_stage, send_ready, shows
from goals import MEMORY, Outcome, conclude, percent_below
from playwright.async_api import async_playwright

from browser_worker.adapters.browser.processes import BrowserProcesses
from browser_worker.domain.reading import PageState
from shared.browsers import NoBrowser, find_browser
from shared.clock import SystemClock

REST_SECONDS = 5.0
FILLERS = "3000"


def weight_alone(profile: Path) -> int:
    """Bytes."""
    own, files = 0, Counter[str]()
    for process in BrowserProcesses(profile).refresh():
        folder = Path(f"/proc/{process.pid}")
        own += _proportional(folder / "smaps_rollup")
        files |= _resident_files(folder / "smaps")
    return own + sum(files.values())


def _proportional(rollup: Path) -> int:
    lines = (line.split() for line in rollup.read_text().splitlines())
    return sum(int(words[1]) * 1024 for words in lines if words[0] in ("Pss_Anon:", "Pss_Shmem:"))


def _resident_files(smaps: Path) -> Counter[str]:
    """Path → bytes of it in memory, without the pages that the process has changed."""
    resident = Counter[str]()
    path = ""
    for line in smaps.read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            path = words[5] if len(words) > 5 else ""
        elif path.startswith("/") and not path.startswith(("/dev/", "/memfd")):
            sign = {"Rss:": 1, "Anonymous:": -1}.get(words[0], 0)
            resident[path] += sign * int(words[1]) * 1024 if sign else 0
    return resident


async def ours(stage: BrowserStage) -> int:
    async with stage.launched() as browser:
        await shows(browser, PageState.CONNECTED)
        await send_ready(browser)
        await SystemClock().sleep(REST_SECONDS)
        return await asyncio.to_thread(weight_alone, stage.profile)


async def default_chromium(stage: BrowserStage, executable: Path) -> int:
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            stage.profile, executable_path=executable, headless=True
        )
        page = context.pages[0]
        await page.goto(stage.standin.web_url)
        await page.wait_for_selector("#pane-side", state="attached")
        await SystemClock().sleep(REST_SECONDS)
        memory = await asyncio.to_thread(weight_alone, stage.profile)
        await context.close()
        return memory


def judge(measured: float, compared: float) -> list[Outcome]:
    """Bytes of our browser, and of a Chromium with default flags."""
    beside = f"{measured / 1e6:.0f} MB and {compared / 1e6:.0f} MB"
    return [MEMORY.judge(percent_below(measured, compared), beside=beside)]


async def main() -> int:
    try:
        chromium = find_browser("chromium")
    except NoBrowser as missing:
        print(f"browser_memory has nothing to compare with: {missing}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, browser_stage(Path(folder), "--fillers", FILLERS) as stage:
        async with stage.linked():
            pass
        measured = await ours(stage)
        compared = await default_chromium(stage, chromium)
    return conclude(judge(measured, compared))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
