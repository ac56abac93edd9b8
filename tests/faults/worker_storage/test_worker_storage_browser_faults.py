"""Faults on profiles that a real Chromium wrote."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from writing_browser import WritingBrowser, browser_on, invariants_of, playwright_running, serving

from browser_worker.adapters.profile import snapshot_clone
from browser_worker.adapters.profile.store import DiskProfileStore
from browser_worker.ports import ProfileDamaged
from shared.testing import eventually

VERSION = "156.0.8078.79"

pytestmark = pytest.mark.browser


def indexed_db(profile: Path) -> Path:
    return next((profile / "Default/IndexedDB").glob("*.leveldb"))


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def a_table(profile: Path) -> Path:
    return sorted(indexed_db(profile).glob("*.ldb"))[0]


async def _wrote(browser: WritingBrowser, number: int) -> bool:
    return await browser.newest() >= number


DAMAGES: dict[str, Callable[[Path], object]] = {
    "CURRENT is empty": lambda profile: cut(indexed_db(profile) / "CURRENT", 0),
    "CURRENT names no manifest": lambda profile: cut(profile / "Default/Local Storage/leveldb/CURRENT", 5),
    "bytes instead of": lambda profile: cut(a_table(profile), 1000),
    "is missing": lambda profile: next(indexed_db(profile).glob("MANIFEST-*")).unlink(),
}


async def test_each_damage_is_found_in_a_real_profile_and_mended_by_the_save(locked_store: DiskProfileStore) -> None:
    store = locked_store
    async with serving() as url, playwright_running() as playwright:
        async with browser_on(playwright, store.profile, url) as live:
            await live.link()
            await live.written(800, 10_000)
        save = await store.add_save(await store.snapshot_at_rest(epoch=1, browser_version=VERSION))
        for problem, damage in DAMAGES.items():
            damage(store.profile)
            facts = await store.inspect()
            assert not facts.valid
            assert problem in " ".join(facts.problems)
            with pytest.raises(ProfileDamaged):
                await store.snapshot_at_rest(epoch=1, browser_version=VERSION)
            await store.restore_save(save, browser_version=VERSION)
            assert (await store.inspect()).valid
        found = await invariants_of(playwright, store.profile, url)
        assert found.hold, found
        assert found.count == 800


async def test_after_a_kill_amid_compactions_a_snapshot_at_rest_opens(locked_store: DiskProfileStore) -> None:
    store = locked_store
    async with serving() as url, playwright_running() as playwright:
        for round_ in range(3):
            async with browser_on(playwright, store.profile, url) as live:
                await live.link()
                start = await live.newest()
                await live.start_writing(size=20_000)
                await eventually(lambda live=live, start=start: _wrote(live, start + 300), message="tables are made")
                live.kill()
                await eventually(lambda live=live: not live.processes(), message="the browser is gone")
            snapshot = await store.snapshot_at_rest(epoch=round_, browser_version=VERSION)
            found = await invariants_of(playwright, snapshot.folder / "profile", url)
            assert found.hold, found
            assert found.newest >= start + 300


async def test_the_browser_writes_on_after_a_snapshot_that_failed_inside_the_freeze(
    locked_store: DiskProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = locked_store
    async with serving() as url, playwright_running() as playwright, browser_on(playwright, store.profile, url) as live:
        await live.link()
        await live.start_writing(size=3000)

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "disk full")

        def link_when_frozen(*arguments: object, **named: object) -> None:
            if live.frozen:
                full()

        monkeypatch.setattr(snapshot_clone.os, "link", link_when_frozen)
        with pytest.raises(OSError, match="disk full"):
            await store.snapshot(freeze=live.freeze, thaw=live.thaw, epoch=1, browser_version=VERSION)
        assert not live.frozen
        assert list((store.profile.parent / "session-shop.worker/staging").iterdir()) == []
        newest = await live.newest()
        await eventually(lambda: _wrote(live, newest + 50), message="the page writes on")


async def test_a_snapshot_that_is_cancelled_thaws_the_browser_and_the_lock_waits_for_its_end(
    locked_store: DiskProfileStore,
) -> None:
    store = locked_store
    async with serving() as url, playwright_running() as playwright, browser_on(playwright, store.profile, url) as live:
        await live.link()
        frozen = asyncio.Event()
        loop = asyncio.get_running_loop()

        def freeze() -> None:
            live.freeze()
            loop.call_soon_threadsafe(frozen.set)

        taking = asyncio.create_task(store.snapshot(freeze=freeze, thaw=live.thaw, epoch=1, browser_version=VERSION))
        await frozen.wait()
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert not live.frozen
        assert (await live.invariants()).login == "linked"
