"""Snapshots of a real browser that writes hundreds of records a second: every copy opens with all invariants."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.async_api import Playwright
from writing_browser import WritingBrowser, browser_on, invariants_of, playwright_running, serving

from browser_worker.adapters.profile.store import DiskProfileStore
from browser_worker.ports import Snapshot
from shared.clock import SystemClock
from shared.testing import eventually

VERSION = "156.0.8078.79"

pytestmark = pytest.mark.browser


async def snap(store: DiskProfileStore, browser: WritingBrowser) -> Snapshot:
    return await store.snapshot(freeze=browser.freeze, thaw=browser.thaw, epoch=1, browser_version=VERSION)


async def opened_copy(playwright: Playwright, snapshot: Snapshot, url: str, place: Path) -> int:
    """Open a copy of the snapshot in a new browser; its newest record, after all invariants held."""
    shutil.copytree(snapshot.folder / "profile", place)
    found = await invariants_of(playwright, place, url)
    shutil.rmtree(place)
    assert found.hold, found
    return found.newest


async def _snapshots(store: DiskProfileStore, tmp_path: Path, count: int) -> None:
    async with serving() as url, playwright_running() as playwright, browser_on(playwright, store.profile, url) as live:
        await live.link()
        await live.start_writing(size=3000, pause_ms=1)
        before = -1
        for _ in range(count):
            start = await live.newest()
            await eventually(lambda start=start: _wrote(live, start + 100), message="the page writes on")
            snapshot = await snap(store, live)
            newest = await opened_copy(playwright, snapshot, url, tmp_path / "copy")
            assert newest > before
            assert newest >= start + 100
            before = newest
        assert (await store.inspect()).valid


async def _wrote(browser: WritingBrowser, number: int) -> bool:
    return await browser.newest() >= number


async def test_twenty_snapshots_of_a_writing_browser_all_open(locked_store: DiskProfileStore, tmp_path: Path) -> None:
    await _snapshots(locked_store, tmp_path, 20)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("turn", range(10))
async def test_two_hundred_snapshots_of_a_writing_browser_all_open(tmp_path: Path, turn: int) -> None:
    """Each turn has a new profile, because checking every record of a growing profile would take hours."""
    store = DiskProfileStore(tmp_path / "sessions", tmp_path / "saves", "shop", SystemClock())
    async with store.lock():
        await _snapshots(store, tmp_path, 20)
    shutil.rmtree(tmp_path)


async def test_snapshots_hold_values_that_lie_in_blob_files(locked_store: DiskProfileStore, tmp_path: Path) -> None:
    store = locked_store
    async with serving() as url, playwright_running() as playwright, browser_on(playwright, store.profile, url) as live:
        await live.link()
        await live.written(20, 200_000)
        await live.start_writing(size=200_000, pause_ms=10)
        blobs = 0
        for _ in range(4):
            start = await live.newest()
            await eventually(lambda start=start: _wrote(live, start + 10), message="the page writes on")
            snapshot = await snap(store, live)
            blobs = sum(".indexeddb.blob/" in entry.path for entry in snapshot.manifest.files)
            assert await opened_copy(playwright, snapshot, url, tmp_path / "copy") >= start + 10
        assert blobs > 20


async def test_a_restored_save_opens_with_the_login_and_the_browser_never_writes_into_the_save(
    locked_store: DiskProfileStore,
) -> None:
    store = locked_store
    async with serving() as url, playwright_running() as playwright:
        async with browser_on(playwright, store.profile, url) as live:
            await live.link()
            await live.written(500, 8000)
            save = await store.add_save(await snap(store, live))
        await store.set_aside()
        await store.restore_save(save, browser_version=VERSION)
        async with browser_on(playwright, store.profile, url) as restored:
            found = await restored.invariants()
            assert found.hold, found
            assert found.count == 500
            await restored.written(1500, 8000)
        await store.set_aside()
        await store.restore_save(save, browser_version=VERSION)  # checks every chunk of the save again
        assert (await invariants_of(playwright, store.profile, url)).count == 500


async def test_inspect_finds_no_fault_in_a_profile_that_is_being_written(locked_store: DiskProfileStore) -> None:
    store = locked_store
    async with serving() as url, playwright_running() as playwright, browser_on(playwright, store.profile, url) as live:
        await live.link()
        await live.start_writing(size=20_000)
        for round_ in range(40):
            await eventually(lambda round_=round_: _wrote(live, round_ * 20), message="the page writes on")
            facts = await store.inspect()
            assert facts.valid, facts.problems


async def test_the_pause_stays_short_while_the_profile_grows(locked_store: DiskProfileStore) -> None:
    store = locked_store
    async with serving() as url, playwright_running() as playwright, browser_on(playwright, store.profile, url) as live:
        await live.link()
        await live.written(1000, 30_000)
        await live.start_writing(size=3000)
        pauses = sorted([(await snap(store, live)).pause_ms for _ in range(5)])
        assert pauses[2] < 100, pauses
