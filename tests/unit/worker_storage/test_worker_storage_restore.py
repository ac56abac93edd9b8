from __future__ import annotations

import asyncio
import errno
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tiny_profile import INDEXED_DB, age, contents, make_profile, names

from browser_worker.adapters.profile import restore as profile_restore
from browser_worker.adapters.profile.store import DiskProfileStore
from browser_worker.ports import ProfileDamaged, Snapshot
from shared.clock import SystemClock
from shared.contracts.errors import Unavailable
from shared.contracts.snapshots import FileEntry, SnapshotManifest, digest

VERSION = "156.0.8078.79"
MakeStore = Callable[[], DiskProfileStore]


async def snap(store: DiskProfileStore) -> Snapshot:
    return await store.snapshot_at_rest(epoch=7, browser_version=VERSION)


class MemorySource:
    """A backup in memory; `spoil` changes what a chunk gives."""

    def __init__(self, snapshot: Snapshot, spoil: Callable[[str, bytes], bytes] = lambda _, data: data) -> None:
        self.answer = snapshot.manifest
        self._spoil = spoil
        self._chunks: dict[str, bytes] = {}
        self.under_way = 0
        self.most_under_way = 0
        for entry in snapshot.manifest.files:
            data = (snapshot.folder / "profile" / entry.path).read_bytes()
            self._chunks |= {sha: data[at * 524288 : (at + 1) * 524288] for at, sha in enumerate(entry.chunks)}

    async def manifest(self) -> SnapshotManifest:
        return self.answer

    async def chunk(self, sha256: str) -> bytes:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return self._spoil(sha256, self._chunks[sha256])


def state_of(store: DiskProfileStore) -> Path:
    return store.profile.parent / "session-shop.worker"


def staged(store: DiskProfileStore) -> list[str]:
    return [name for name in names(state_of(store) / "staging") if name.startswith("incoming")]


def damage(store: DiskProfileStore) -> dict[str, bytes]:
    (store.profile / INDEXED_DB / "CURRENT").write_bytes(b"")
    return contents(store.profile)


async def test_a_save_takes_the_place_of_a_damaged_profile_which_is_set_aside(store: DiskProfileStore) -> None:
    async with store.lock():
        save = await store.add_save(await snap(store))
        wanted = contents(save.folder / "profile")
        damaged = damage(store)
        await store.restore_save(save, browser_version=VERSION)
        assert contents(store.profile) == wanted
        assert contents(state_of(store) / "aside/0000") == damaged
        assert (await store.inspect()).valid
        assert staged(store) == []
        await store.drop_set_aside()
        assert not (state_of(store) / "aside").exists()


async def test_a_restored_profile_shares_no_bytes_with_its_save(store: DiskProfileStore) -> None:
    async with store.lock():
        save = await store.add_save(await snap(store))
        await store.restore_save(save, browser_version=VERSION)
    for path in (save.folder / "profile").rglob("*"):
        if path.is_file():
            assert (store.profile / path.relative_to(save.folder / "profile")).stat().st_ino != path.stat().st_ino


async def test_a_second_restore_keeps_the_original_aside_and_not_the_copies(store: DiskProfileStore) -> None:
    async with store.lock():
        save = await store.add_save(await snap(store))
        damaged = damage(store)
        for _ in range(3):
            await store.restore_save(save, browser_version=VERSION)
        assert names(state_of(store) / "aside") == ["0000"]
        assert contents(state_of(store) / "aside/0000") == damaged


async def test_set_aside_leaves_no_profile_and_loses_nothing(store: DiskProfileStore) -> None:
    async with store.lock():
        before = contents(store.profile)
        await store.set_aside()
        assert not (await store.inspect()).exists
        await store.set_aside()
        assert contents(state_of(store) / "aside/0000") == before


async def test_a_save_of_a_newer_browser_is_refused_and_nothing_is_touched(store: DiskProfileStore) -> None:
    async with store.lock():
        save = await store.add_save(await snap(store))
        before = contents(store.profile)
        with pytest.raises(ProfileDamaged, match=r"made by browser 156\.0\.8078\.79.*this browser 155\.9"):
            await store.restore_save(save, browser_version="155.9")
        assert contents(store.profile) == before
        assert await store.saves() == [save]


async def test_a_flipped_byte_in_a_save_is_found_and_the_save_is_not_offered_again(store: DiskProfileStore) -> None:
    async with store.lock():
        save = await store.add_save(await snap(store))
        table = save.folder / "profile" / INDEXED_DB / "000006.ldb"
        data = bytearray(table.read_bytes())
        data[1000] ^= 1
        table.write_bytes(data)
        before = contents(store.profile)
        assert await store.saves() == [save]
        with pytest.raises(ProfileDamaged, match=r"000006\.ldb is not what its manifest says"):
            await store.restore_save(save, browser_version=VERSION)
        assert contents(store.profile) == before
        assert await store.saves() == []
        assert staged(store) == []


async def test_a_backup_is_fetched_four_chunks_at_a_time_and_put_in_place(store: DiskProfileStore) -> None:
    async with store.lock():
        source = MemorySource(await snap(store))
        wanted = contents(store.profile)
        damage(store)
        manifest = await store.restore_backup(source, browser_version=VERSION)
        assert manifest == source.answer
        assert {name: wanted[name] for name in contents(store.profile)} == contents(store.profile)
        assert source.most_under_way == 4
        assert staged(store) == []


async def test_a_backup_is_restored_where_no_profile_is(store: DiskProfileStore) -> None:
    async with store.lock():
        source = MemorySource(await snap(store))
        await store.set_aside()
        await store.restore_backup(source, browser_version=VERSION)
        assert (await store.inspect()).valid


def _entry(**changes: Any) -> FileEntry:
    return FileEntry(**{"path": "Default/extra", "bytes": 3, "chunks": (digest(b"abc"),), **changes})


BAD_ENTRIES = {
    "climbs out": _entry(path="../outside"),
    "absolute": _entry(path="/etc/passwd"),
    "below a file": _entry(path="Local State/below"),
    "same path twice": _entry(path="Local State"),
    "too few chunks": _entry(bytes=600_000),
    "too many chunks": _entry(bytes=0),
    "negative size": _entry(bytes=-1, chunks=()),
    "another size": _entry(bytes=2),
}


@pytest.mark.parametrize("entry", BAD_ENTRIES.values(), ids=BAD_ENTRIES.keys())
async def test_a_manifest_that_cannot_be_true_is_refused_and_nothing_is_touched(
    store: DiskProfileStore, entry: FileEntry, tmp_path: Path
) -> None:
    async with store.lock():
        source = MemorySource(await snap(store))
        source._chunks[digest(b"abc")] = b"abc"
        source.answer = msgspec.structs.replace(source.answer, files=(*source.answer.files, entry))
        before = contents(store.profile)
        with pytest.raises(ProfileDamaged):
            await store.restore_backup(source, browser_version=VERSION)
        assert contents(store.profile) == before
        assert staged(store) == []
        assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("folder", ["../outside", "Local State", "Default/Local Storage/leveldb/CURRENT/below"])
async def test_an_empty_folder_that_cannot_be_is_refused(store: DiskProfileStore, folder: str, tmp_path: Path) -> None:
    async with store.lock():
        source = MemorySource(await snap(store))
        source.answer = msgspec.structs.replace(source.answer, directories=(folder,))
        before = contents(store.profile)
        with pytest.raises(ProfileDamaged):
            await store.restore_backup(source, browser_version=VERSION)
        assert contents(store.profile) == before
        assert staged(store) == []
    assert not list(tmp_path.rglob("outside"))


async def test_empty_folders_of_the_manifest_are_made(store: DiskProfileStore) -> None:
    async with store.lock():
        source = MemorySource(await snap(store))
        source.answer = msgspec.structs.replace(source.answer, directories=("Default/Empty/below",))
        await store.restore_backup(source, browser_version=VERSION)
        assert (store.profile / "Default/Empty/below").is_dir()


async def test_singleton_files_in_a_backup_are_not_restored(store: DiskProfileStore) -> None:
    async with store.lock():
        source = MemorySource(await snap(store))
        source._chunks[digest(b"abc")] = b"abc"
        source.answer = msgspec.structs.replace(
            source.answer, files=(*source.answer.files, _entry(path="SingletonLock"), _entry(path="Default/Cache/x"))
        )
        await store.restore_backup(source, browser_version=VERSION)
        assert not (store.profile / "SingletonLock").exists()
        assert not (store.profile / "Default/Cache").exists()


@pytest.mark.parametrize("what", ["flipped", "short", "long", "empty"])
async def test_a_spoilt_chunk_is_found_and_nothing_is_touched(store: DiskProfileStore, what: str) -> None:
    def spoil(sha256: str, data: bytes) -> bytes:
        if len(data) < 524288:
            return data
        return {"flipped": b"?" + data[1:], "short": data[:-1], "long": data + b"x", "empty": b""}[what]

    async with store.lock():
        source = MemorySource(await snap(store), spoil)
        before = contents(store.profile)
        with pytest.raises(ProfileDamaged, match="a chunk of"):
            await store.restore_backup(source, browser_version=VERSION)
        assert contents(store.profile) == before
        assert staged(store) == []


async def test_a_backup_of_a_newer_browser_or_another_session_is_refused_before_a_chunk_is_asked_for(
    store: DiskProfileStore,
) -> None:
    async with store.lock():
        source = MemorySource(await snap(store))
        with pytest.raises(ProfileDamaged, match="older"):
            await store.restore_backup(source, browser_version="155.0.1.1")
        source.answer = msgspec.structs.replace(source.answer, session="other")
        with pytest.raises(ProfileDamaged, match="another session"):
            await store.restore_backup(source, browser_version=VERSION)
        assert source.most_under_way == 0


async def test_a_backup_without_a_whole_profile_is_refused(store: DiskProfileStore) -> None:
    async with store.lock():
        source = MemorySource(await snap(store))
        files = tuple(entry for entry in source.answer.files if not entry.path.endswith("CURRENT"))
        source.answer = msgspec.structs.replace(source.answer, files=files)
        before = contents(store.profile)
        with pytest.raises(ProfileDamaged, match="CURRENT is missing"):
            await store.restore_backup(source, browser_version=VERSION)
        assert contents(store.profile) == before


async def test_a_store_that_is_lost_in_the_middle_leaves_nothing_and_says_so(store: DiskProfileStore) -> None:
    asked = 0

    def lose(_: str, data: bytes) -> bytes:
        nonlocal asked
        asked += 1
        if asked > 5:
            raise Unavailable("the store is lost")
        return data

    async with store.lock():
        source = MemorySource(await snap(store), lose)
        before = contents(store.profile)
        with pytest.raises(Unavailable):
            await store.restore_backup(source, browser_version=VERSION)
        assert contents(store.profile) == before
        assert staged(store) == []


async def test_a_restore_that_is_cancelled_leaves_nothing(store: DiskProfileStore) -> None:
    reached = asyncio.Event()

    class Slow(MemorySource):
        async def chunk(self, sha256: str) -> bytes:
            reached.set()
            await asyncio.Event().wait()
            return b""

    async with store.lock():
        before = contents(store.profile)
        restoring = asyncio.create_task(store.restore_backup(Slow(await snap(store)), browser_version=VERSION))
        await reached.wait()
        restoring.cancel()
        with pytest.raises(asyncio.CancelledError):
            await restoring
        assert contents(store.profile) == before
        assert staged(store) == []


@pytest.mark.parametrize("way", ["save", "backup"])
async def test_too_little_room_is_seen_before_a_byte_is_written(
    store: DiskProfileStore, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    class Full:
        free = 1000

    async with store.lock():
        snapshot = await snap(store)
        save = await store.add_save(snapshot)
        before = contents(store.profile)
        monkeypatch.setattr(profile_restore.shutil, "disk_usage", lambda _: Full)
        restore = (
            store.restore_save(save, browser_version=VERSION)
            if way == "save"
            else store.restore_backup(MemorySource(snapshot), browser_version=VERSION)
        )
        with pytest.raises(OSError, match="not enough room") as caught:
            await restore
        assert caught.value.errno == errno.ENOSPC
        assert contents(store.profile) == before
        assert staged(store) == []
        assert await store.saves() == [save]


async def test_a_disk_that_fills_up_while_chunks_are_written_leaves_nothing(
    store: DiskProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "disk full")

    async with store.lock():
        source = MemorySource(await snap(store))
        before = contents(store.profile)
        monkeypatch.setattr(profile_restore.os, "pwrite", full)
        with pytest.raises(OSError, match="disk full"):
            await store.restore_backup(source, browser_version=VERSION)
        assert contents(store.profile) == before
        assert staged(store) == []


async def test_an_old_profile_in_place_is_used_and_kept_as_a_save_once(store: DiskProfileStore) -> None:
    before = contents(store.profile)
    async with store.lock():
        assert await store.import_old_profile()
        assert contents(store.profile) == before
        saves = await store.saves()
        assert [save.browser_version for save in saves] == [VERSION]
        assert not await store.import_old_profile()
        assert await store.saves() == saves


async def test_a_damaged_old_profile_in_place_stays_where_it_is(store: DiskProfileStore) -> None:
    before = damage(store)
    async with store.lock():
        assert await store.import_old_profile()
        assert contents(store.profile) == before
        assert await store.saves() == []


def zip_of(profile: Path, archive: Path, prefix: str = "") -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in contents(profile).items():
            file.writestr(prefix + name, data)


@pytest.mark.parametrize("prefix", ["", "RemoteAuth-shop/"])
async def test_a_remote_auth_zip_is_unpacked_and_stays(make_store: MakeStore, tmp_path: Path, prefix: str) -> None:
    store = make_store()
    profile = age(make_profile(tmp_path / "old"))
    archive = tmp_path / "sessions/RemoteAuth-shop.zip"
    zip_of(profile, archive, prefix)
    before = archive.read_bytes()
    async with store.lock():
        assert await store.import_old_profile()
        assert (await store.inspect()).valid
        assert not (store.profile / "Default/Cache").exists()
        assert archive.read_bytes() == before


async def test_a_remote_auth_folder_is_copied_and_stays(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store()
    old = age(make_profile(tmp_path / "sessions/RemoteAuth-shop"))
    before = contents(old)
    async with store.lock():
        assert await store.import_old_profile()
        assert (await store.inspect()).valid
    assert contents(old) == before


async def test_without_anything_old_there_is_nothing_to_move_in(make_store: MakeStore) -> None:
    store = make_store()
    async with store.lock():
        assert not await store.import_old_profile()
        assert not (await store.inspect()).exists


def _link(file: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("Default/link")
    info.external_attr = 0o120777 << 16
    file.writestr(info, "/etc/passwd")


BAD_ZIPS: dict[str, Callable[[zipfile.ZipFile], object]] = {
    "climbs out": lambda file: file.writestr("Default/../../outside", "x"),
    "absolute": lambda file: file.writestr("/outside", "x"),
    "backslashes": lambda file: file.writestr("Default\\..\\outside", "x"),
    "a link": _link,
    "a bomb": lambda file: file.writestr("Default/zeros", bytes(60_000_000)),
}


@pytest.mark.parametrize("spoil", BAD_ZIPS.values(), ids=BAD_ZIPS.keys())
async def test_a_bad_zip_is_refused_whole(
    make_store: MakeStore, tmp_path: Path, spoil: Callable[[zipfile.ZipFile], object]
) -> None:
    store = make_store()
    archive = tmp_path / "sessions/RemoteAuth-shop.zip"
    zip_of(make_profile(tmp_path / "old"), archive)
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        spoil(file)
    async with store.lock():
        assert not await store.import_old_profile()
        assert not store.profile.exists()
        assert staged(store) == []
    assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize("size", [0, 100, 5000])
async def test_a_cut_zip_is_refused(make_store: MakeStore, tmp_path: Path, size: int) -> None:
    store = make_store()
    archive = tmp_path / "sessions/RemoteAuth-shop.zip"
    zip_of(make_profile(tmp_path / "old"), archive)
    archive.write_bytes(archive.read_bytes()[:size])
    async with store.lock():
        assert not await store.import_old_profile()
        assert not store.profile.exists()


async def test_wipe_removes_this_session_alone_and_follows_no_link_out(store: DiskProfileStore, tmp_path: Path) -> None:
    other = DiskProfileStore(tmp_path / "sessions", tmp_path / "saves", "shop-2", SystemClock())
    age(make_profile(other.profile))
    await other.add_save(await other.snapshot_at_rest(epoch=1, browser_version=VERSION))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("stays")
    (store.profile / "Default/link").symlink_to(outside)
    before = contents(other.profile)
    async with store.lock():
        save = await store.add_save(await snap(store))
        await store.restore_save(save, browser_version=VERSION)
        await store.wipe()
        assert not store.profile.exists()
        assert await store.saves() == []
        assert not (state_of(store) / "aside").exists()
        await store.wipe()
    assert contents(other.profile) == before
    assert len(await other.saves()) == 1
    assert (outside / "precious").read_text() == "stays"


async def test_a_cleared_session_is_not_moved_in_again(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store()
    zip_of(age(make_profile(tmp_path / "old")), tmp_path / "sessions/RemoteAuth-shop.zip")
    async with store.lock():
        await store.wipe()
    again = make_store()
    async with again.lock():
        assert not await again.import_old_profile()


async def test_a_profile_that_is_a_link_is_unlinked_by_wipe_and_its_target_stays(
    make_store: MakeStore, tmp_path: Path
) -> None:
    store = make_store()
    elsewhere = make_profile(tmp_path / "elsewhere")
    store.profile.parent.mkdir()
    store.profile.symlink_to(elsewhere)
    async with store.lock():
        await store.wipe()
    assert not store.profile.is_symlink()
    assert contents(elsewhere)
