from __future__ import annotations

import errno
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_profile import INDEXED_DB, contents, make_database, names
from zstandard import ZstdDecompressor

from browser_worker.adapters.profile import chunk_hashes
from browser_worker.adapters.profile import saves as profile_saves
from browser_worker.adapters.profile.store import DiskProfileStore
from browser_worker.domain.reading import LocalStorageExport
from browser_worker.ports import ProfileDamaged, Snapshot
from shared.contracts.errors import NotFound
from shared.contracts.message import decode
from shared.contracts.snapshots import SnapshotManifest, digest

VERSION = "156.0.8078.79"
MakeStore = Callable[[], DiskProfileStore]


async def snap(store: DiskProfileStore) -> Snapshot:
    return await store.snapshot_at_rest(epoch=7, browser_version=VERSION)


async def test_a_manifest_says_what_the_copy_holds(store: DiskProfileStore) -> None:
    snapshot = await snap(store)
    copied = contents(snapshot.folder / "profile")
    assert {entry.path: entry.bytes for entry in snapshot.manifest.files} == {n: len(d) for n, d in copied.items()}
    for entry in snapshot.manifest.files:
        data = copied[entry.path]
        assert entry.chunks == tuple(digest(data[at : at + 524288]) for at in range(0, len(data), 524288))
    assert (snapshot.manifest.session, snapshot.manifest.epoch) == ("shop", 7)
    assert snapshot.manifest.snapshot == snapshot.id


async def test_a_table_is_read_only_once_over_many_snapshots(
    store: DiskProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await snap(store)
    read: list[str] = []
    chunks_of = chunk_hashes.chunks_of

    def watched(path: Path) -> object:
        read.append(path.name)
        return chunks_of(path)

    monkeypatch.setattr(chunk_hashes, "chunks_of", watched)
    second = await snap(store)
    assert not [name for name in read if name.endswith(".ldb")]
    assert second.manifest.files == first.manifest.files


async def test_a_damaged_profile_gives_no_snapshot_and_leaves_nothing(store: DiskProfileStore) -> None:
    (store.profile / INDEXED_DB / "CURRENT").write_bytes(b"")
    with pytest.raises(ProfileDamaged, match="CURRENT is empty"):
        await snap(store)
    assert names(store.profile.parent / "session-shop.worker/staging") == []


async def test_a_snapshot_that_shrank_is_refused_once_and_then_believed(store: DiskProfileStore) -> None:
    filler = store.profile / "Default/filler"
    filler.write_bytes(bytes(9 * 1024 * 1024))
    await snap(store)
    filler.unlink()
    with pytest.raises(ProfileDamaged, match="where the one before had"):
        await snap(store)
    assert await snap(store)


async def test_the_newest_three_saves_are_kept_newest_first(store: DiskProfileStore) -> None:
    kept = [await store.add_save(await snap(store)) for _ in range(5)]
    assert [save.id for save in await store.saves()] == [save.id for save in reversed(kept[-3:])]
    assert all(contents(save.folder / "profile") for save in await store.saves())


async def test_damage_to_the_live_profile_in_place_does_not_reach_a_save(store: DiskProfileStore) -> None:
    save = await store.add_save(await snap(store))
    before = contents(save.folder / "profile")
    for path in store.profile.rglob("*.ldb"):
        path.write_bytes(b"")
    assert contents(save.folder / "profile") == before


async def test_saves_share_unchanged_tables_among_themselves(store: DiskProfileStore) -> None:
    one = await store.add_save(await snap(store))
    used = await store.saves_bytes()
    two = await store.add_save(await snap(store))
    table = f"profile/{INDEXED_DB}/000006.ldb"
    assert (one.folder / table).stat().st_ino == (two.folder / table).stat().st_ino
    assert await store.saves_bytes() - used < used / 4


async def test_saves_are_for_their_owner_alone(store: DiskProfileStore) -> None:
    save = await store.add_save(await snap(store))
    for path in [save.folder, *save.folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_a_save_with_a_missing_or_cut_file_is_not_listed(store: DiskProfileStore) -> None:
    one = await store.add_save(await snap(store))
    two = await store.add_save(await snap(store))
    (one.folder / "profile/Default/Cookies").unlink()
    (two.folder / "profile/Local State").write_bytes(b"{")
    assert await store.saves() == []


async def test_a_full_disk_while_keeping_leaves_the_older_saves_and_no_rest(
    store: DiskProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = await store.add_save(await snap(store))
    snapshot = await snap(store)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(profile_saves, "copy_verified", full)
    with pytest.raises(OSError, match="disk full"):
        await store.add_save(snapshot)
    assert await store.saves() == [save]
    assert names(save.folder.parent) == [save.folder.name]


async def test_what_an_interrupted_keep_left_goes_at_the_next_lock(store: DiskProfileStore) -> None:
    save = await store.add_save(await snap(store))
    (save.folder.parent / ".20260101T000000Z-half.partial/profile").mkdir(parents=True)
    async with store.lock():
        assert names(save.folder.parent) == [save.folder.name]


async def test_a_table_that_rots_under_the_snapshot_does_not_become_a_save(store: DiskProfileStore) -> None:
    snapshot = await snap(store)
    table = snapshot.folder / "profile" / INDEXED_DB / "000006.ldb"
    data = bytearray(table.read_bytes())
    data[100] ^= 1
    table.write_bytes(data)
    with pytest.raises(ProfileDamaged, match=r"000006\.ldb is not what its manifest says"):
        await store.add_save(snapshot)
    assert await store.saves() == []


async def test_every_chunk_of_an_offer_can_be_read_while_it_is_open(store: DiskProfileStore) -> None:
    snapshot = await snap(store)
    async with store.offer(snapshot) as chunks:
        packed = b"".join([await store.read_chunk(snapshot.id, sha256) for sha256 in chunks])
        manifest = decode(ZstdDecompressor().decompress(packed), SnapshotManifest)
        assert manifest == snapshot.manifest
        for entry in manifest.files:
            data = b"".join([await store.read_chunk(snapshot.id, sha256) for sha256 in entry.chunks])
            assert data == (snapshot.folder / "profile" / entry.path).read_bytes()
    with pytest.raises(NotFound):
        await store.read_chunk(snapshot.id, chunks[0])


async def test_a_chunk_that_is_not_there_or_has_rotted_is_not_found(store: DiskProfileStore) -> None:
    snapshot = await snap(store)
    async with store.offer(snapshot):
        with pytest.raises(NotFound):
            await store.read_chunk(snapshot.id, "0" * 64)
        path = snapshot.folder / "profile/Default/Cookies"
        sha256 = digest(path.read_bytes())
        path.write_bytes(b"other bytes")
        with pytest.raises(NotFound):
            await store.read_chunk(snapshot.id, sha256)


async def test_an_offered_snapshot_outlives_newer_ones_and_others_go(store: DiskProfileStore) -> None:
    snapshots = [await snap(store)]
    async with store.offer(snapshots[0]):
        snapshots += [await snap(store) for _ in range(4)]
        assert [snapshot.folder.exists() for snapshot in snapshots] == [True, False, False, True, True]
    snapshots.append(await snap(store))
    assert [snapshot.folder.exists() for snapshot in snapshots] == [False, False, False, False, True, True]


async def test_exported_storage_travels_with_the_snapshot_and_keeps_odd_texts(store: DiskProfileStore) -> None:
    export = LocalStorageExport("https://web.whatsapp.com", 3, {"half": "\ud83d", "مفتاح": "قيمة\0", "empty": ""})
    await store.write_local_storage_export(export)
    assert await store.local_storage_export() == export
    path = store.profile / "Persistent Session/local-storage.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Persistent Session/local-storage.json" in {entry.path for entry in (await snap(store)).manifest.files}


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"origin": 1}', b"\xff\xfe"])
async def test_exported_storage_that_cannot_be_read_counts_as_none(store: DiskProfileStore, garbage: bytes) -> None:
    assert await store.local_storage_export() is None
    await store.write_local_storage_export(LocalStorageExport("o", 1, {}))
    (store.profile / "Persistent Session/local-storage.json").write_bytes(garbage)
    assert await store.local_storage_export() is None


async def test_inspect_tells_absent_valid_and_damaged_apart(store: DiskProfileStore, make_store: MakeStore) -> None:
    facts = await store.inspect()
    assert facts.exists
    assert facts.valid
    assert facts.bytes > 600_000
    assert facts.critical_files == ("Default/Local Storage/leveldb", "Default/IndexedDB")
    (store.profile / "Default/IndexedDB").rename(store.profile / "Default/elsewhere")
    facts = await store.inspect()
    assert facts.exists
    assert not facts.valid
    assert facts.missing_files == ("Default/IndexedDB",)
    (store.profile / "Default").rename(store.profile / "Gone")
    assert not (await store.inspect()).exists


async def test_damage_that_costs_no_login_is_reported_and_leaves_the_profile_valid(store: DiskProfileStore) -> None:
    (store.profile / "Default/Session Storage/CURRENT").write_bytes(b"")
    (store.profile / "Default/Cookies").write_bytes(b"no database at all")
    facts = await store.inspect()
    assert facts.valid
    assert facts.problems == (
        "Default/Session Storage: CURRENT is empty",
        "Default/Cookies is no database",
    )


async def test_one_damaged_database_of_several_makes_the_profile_invalid(store: DiskProfileStore) -> None:
    make_database(store.profile / "Default/IndexedDB/https_other_0.indexeddb.leveldb")
    assert (await store.inspect()).valid
    (store.profile / "Default/IndexedDB/https_other_0.indexeddb.leveldb/MANIFEST-000001").unlink()
    assert not (await store.inspect()).valid
