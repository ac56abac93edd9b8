"""Snapshots of the product's own browser while the stand-in writes its history at full rate: every copy is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from browser_stage import BrowserStage, browser_stage, link
from playwright.async_api import BrowserType, async_playwright

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.adapters.browser.processes import BrowserProcesses
from browser_worker.adapters.profile.store import DiskProfileStore
from shared.browsers import find_browser
from shared.clock import SystemClock
from shared.testing import eventually

pytestmark = pytest.mark.browser

FULL_RATE = 500.0
"""Records a second that the page is asked to write."""


@pytest.mark.timeout(600)
async def test_twenty_snapshots_under_a_writing_page_all_open_with_every_invariant(tmp_path: Path) -> None:
    await take_and_open(tmp_path, 20, megabytes=40)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("turn", range(10))
async def test_two_hundred_snapshots_under_a_writing_page_all_open_with_every_invariant(
    tmp_path: Path, turn: int
) -> None:
    await take_and_open(tmp_path, 20, megabytes=200)
    shutil.rmtree(tmp_path)


async def test_nothing_of_the_databases_changes_during_the_pause_of_a_snapshot(tmp_path: Path) -> None:
    changed: list[set[Path]] = []
    with browser_stage(tmp_path) as stage:
        async with writing(stage, megabytes=40) as (browser, store):
            before: dict[Path, tuple[int, int]] = {}

            processes = BrowserProcesses(store.profile)

            def freeze() -> None:
                browser.freeze()
                assert processes.freeze(wait_seconds=4), "a slow disk keeps a thread in a system call"
                before.update(state_of(store.profile))

            def thaw() -> None:
                after = state_of(store.profile)
                changed.append({path for path in before.keys() | after.keys() if before.get(path) != after.get(path)})
                before.clear()
                browser.thaw()

            for _ in range(10):
                await store.snapshot(freeze=freeze, thaw=thaw, epoch=1, browser_version="1")
    assert changed == [set()] * 10


def state_of(profile: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of every file of the databases. The clone links logs, which changes neither."""
    files = [path for path in (profile / "Default").glob("IndexedDB/*.leveldb/*") if path.is_file()]
    found = {}
    for path in files:
        stat = path.stat()
        found[path] = (stat.st_size, stat.st_mtime_ns)
    return found


async def take_and_open(folder: Path, count: int, *, megabytes: int) -> None:
    with browser_stage(folder) as stage:
        async with writing(stage, megabytes=megabytes) as (browser, store):
            copies = [await copy_of(store, browser, folder / f"copy-{number}") for number in range(count)]
        stage.phone.set_faults(accept_sockets=False)
        async with async_playwright() as playwright:
            checks = [await opened(playwright.chromium, copy, stage.standin.web_url) for copy in copies]
        assert [check["problems"] for check in checks] == [[] for _ in checks]
        assert all(check["ok"] and check["loginPresent"] for check in checks)
        written = [check["lastSeq"] for check in checks]
        assert written == sorted(written)
        assert written[-1] > written[0], "the page wrote while the snapshots were taken"


@asynccontextmanager
async def writing(stage: BrowserStage, *, megabytes: int) -> AsyncIterator[tuple[ChromiumBrowser, DiskProfileStore]]:
    """A linked browser whose page writes history as fast as it can; from `megabytes` on it overwrites the oldest."""
    store = DiskProfileStore(stage.folder / "sessions", stage.folder / "saves", "shop", SystemClock())
    browser = stage.browser()
    async with store.lock():
        await browser.launch(store.profile, None)
        try:
            await link(browser, stage.phone)
            await browser.reopen_page()
            stage.phone.set_history(target_mb=megabytes, rate_per_s=FULL_RATE)
            yield browser, store
        finally:
            await stage.end(browser)


async def copy_of(store: DiskProfileStore, browser: ChromiumBrowser, target: Path) -> Path:
    await store.write_local_storage_export(await browser.export_local_storage())
    snapshot = await store.snapshot(
        freeze=browser.freeze, thaw=browser.thaw, epoch=1, browser_version=await browser.version()
    )
    shutil.copytree(snapshot.folder / "profile", target)
    return target


async def opened(chromium: BrowserType, profile: Path, url: str) -> dict[str, Any]:
    """What the page itself finds in a copy, without a connection to its server."""
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    context = await chromium.launch_persistent_context(
        profile, executable_path=find_browser("headless-shell"), args=flags
    )
    try:
        page = context.pages[0]
        await page.goto(url, wait_until="commit")

        async def checked() -> dict[str, Any] | None:
            found: dict[str, Any] | None = await page.evaluate("() => window.__standin?.checkInvariants?.()")
            return found

        found = await eventually(checked, timeout=20)
        assert found is not None
        return found
    finally:
        await context.close()
