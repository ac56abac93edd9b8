"""A flipped byte or a lost object anywhere in the bucket is found or harmless, and an older backup is whole."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from backup_support import Owner, Replica, Tree, days, is_of, keys_of
from memory_object_store import MemoryObjectStore

from backup.adapters.s3_store import S3Options, S3Store
from backup.domain import layout
from backup.domain.generations import GenerationPolicy
from backup.domain.layout import ObjectKind
from shared.contracts.errors import NotFound, ServiceError
from shared.testing import FakeClock, S3Server

SESSION = "shop"
OLD: Tree = {"Default/a": os.urandom(700_000), "Default/b": b"text " * 500}
NEW: Tree = {"Default/a": os.urandom(700_000), "Default/b": b"text " * 501, "c": b"1"}
NEWER: Tree = {**NEW, "Default/d": os.urandom(60_000)}


@pytest.fixture
def fake() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "s3"])
async def store(request: pytest.FixtureRequest, fake: FakeClock) -> AsyncIterator[MemoryObjectStore | S3Store]:
    if request.param == "memory":
        yield MemoryObjectStore(fake)
        return
    s3: S3Server = request.getfixturevalue("s3")
    real = S3Store(
        S3Options(
            endpoint=s3.endpoint,
            bucket=f"t-{uuid4().hex[:16]}",
            access_key_id=s3.access_key,
            secret_access_key=s3.secret_key,
        )
    )
    yield real
    real.close()


async def fill(store: MemoryObjectStore | S3Store, fake: FakeClock) -> dict[str, Tree]:
    """A bucket with every kind of object: head, tombstone, keys, two generations with packs, manifests, proofs."""
    replica = Replica(store, fake, Owner(fake), generations=GenerationPolicy(max_age=days(1)))
    await replica.claim(SESSION)
    await replica.back_up(SESSION, {"cleared": b"1"})
    await replica.epochs.write_tombstone(SESSION, 1)
    fake.advance(5)
    epoch = await replica.claim(SESSION)
    trees: dict[str, Tree] = {}
    for tree, hours in ((OLD, 25), (NEW, 1), (NEWER, 1)):
        trees[(await replica.back_up(SESSION, tree, epoch=epoch)).backup] = tree
        fake.advance(hours * 3600)
    return trees


async def walk(replica: Replica, trees: dict[str, Tree]) -> tuple[str, list[str]]:
    """Restores as a worker does: newest first, past bad and cleared backups, until one is whole. Returns its id and the
    ids that failed."""
    failed = []
    for entry in (await replica.backups(SESSION)).backups:
        if entry.state in ("bad", "cleared"):
            failed.append(entry.id)
            continue
        try:
            tree = await replica.restore(SESSION, entry.id)
        except NotFound as error:
            if error.code != "damaged":
                raise
            failed.append(entry.id)
            continue
        assert tree == trees[entry.id], "a restore gave wrong bytes"
        return entry.id, failed
    raise AssertionError("nothing could be restored")


async def remove_markers(store: MemoryObjectStore | S3Store) -> None:
    listed = await store.list_objects(layout.session_prefix(SESSION))
    await store.delete([each.key for each in listed if is_of(each.key, ObjectKind.CORRUPTION_MARKER)])


async def test_a_flipped_byte_in_any_object_is_found_or_harmless(
    store: MemoryObjectStore | S3Store, fake: FakeClock
) -> None:
    trees = await fill(store, fake)
    chance = random.Random(11)
    kinds = set()
    found = 0
    for item in await store.list_objects(layout.session_prefix(SESSION)):
        blob = await store.read(item.key)
        assert blob is not None
        for _ in range(6):
            place = chance.randrange(len(blob.data))
            flipped = bytearray(blob.data)
            flipped[place] ^= 1 << chance.randrange(8)
            await store.write(item.key, bytes(flipped))
            cold = Replica(store, fake, Owner(fake))
            _, failed = await walk(cold, trees)
            cleared = [entry.id for entry in (await cold.backups(SESSION)).backups if entry.state == "cleared"]
            assert len(cleared) == 1
            found += bool(failed)
            await store.write(item.key, blob.data)
            await remove_markers(store)
        parsed = layout.parse_key(item.key)
        assert parsed is not None
        kinds.add(parsed.kind)
    assert kinds == set(ObjectKind) - {ObjectKind.CORRUPTION_MARKER, ObjectKind.UNKNOWN}
    assert found > 10


async def test_any_object_may_be_lost_or_emptied_and_something_is_restored(
    store: MemoryObjectStore | S3Store, fake: FakeClock
) -> None:
    trees = await fill(store, fake)
    for item in await store.list_objects(layout.session_prefix(SESSION)):
        blob = await store.read(item.key)
        assert blob is not None
        for broken in (None, b"", blob.data[: len(blob.data) // 2]):
            if item.key == layout.tombstone(SESSION) and broken is None:
                continue  # nothing else says that the session was cleared
            if broken is None:
                await store.delete([item.key])
            else:
                await store.write(item.key, broken)
            cold = Replica(store, fake, Owner(fake))
            if item.key == layout.tombstone(SESSION) and not broken:
                with pytest.raises(ServiceError):
                    await cold.backups(SESSION)
            else:
                await walk(cold, trees)
            await store.write(item.key, blob.data)
            await remove_markers(store)


async def test_damage_found_at_a_restore_is_listed_and_ends_the_generation(fake: FakeClock) -> None:
    store = MemoryObjectStore(fake)
    trees = await fill(store, fake)
    newest = list(trees)[-1]
    replica = Replica(store, fake, Owner(fake))
    generation = next(entry.generation for entry in (await replica.backups(SESSION)).backups)
    packs = keys_of(store, ObjectKind.PACK, generation=generation)
    sizes = {key: len(store.data[key]) for key in packs}
    big = max(sizes, key=lambda key: sizes[key])
    await store.write(big, store.data[big][:-1] + bytes([store.data[big][-1] ^ 1]))
    with pytest.raises(NotFound) as error:
        await replica.restore(SESSION, newest)
    assert error.value.code == "damaged"
    cold = Replica(store, fake, Owner(fake))
    states = {entry.id: entry.state for entry in (await cold.backups(SESSION)).backups}
    assert [states[name] for name in trees] == ["scrubbed", "bad", "bad"]
    epoch = (await cold.repository.list_backups(SESSION)).entries[0].ref.name.epoch
    stored = await cold.back_up(SESSION, NEWER, epoch=epoch)
    assert not stored.unchanged
    assert stored.new_chunks == stored.chunks
    listed = (await cold.backups(SESSION)).backups
    assert listed[0].generation != generation
    assert listed[0].state == "scrubbed"
    assert await cold.restore(SESSION, stored.backup) == NEWER


async def test_a_backup_that_shares_nothing_with_the_damage_stays_good(fake: FakeClock) -> None:
    store = MemoryObjectStore(fake)
    replica = Replica(store, fake, Owner(fake))
    await replica.claim(SESSION)
    first = await replica.back_up(SESSION, {"a": os.urandom(1000)})
    before = set(store.data)
    second = await replica.back_up(SESSION, {"b": os.urandom(1000)})
    pack = next(key for key in keys_of(store, ObjectKind.PACK) if key not in before)
    await store.write(pack, bytes(len(store.data[pack])))
    with pytest.raises(NotFound):
        await replica.restore(SESSION, second.backup)
    states = {entry.id: entry.state for entry in (await replica.backups(SESSION)).backups}
    assert states == {first.backup: "scrubbed", second.backup: "bad"}


async def test_a_lost_or_short_pack_shows_in_the_list_without_a_restore(fake: FakeClock) -> None:
    store = MemoryObjectStore(fake)
    trees = await fill(store, fake)
    generation = (await Replica(store, fake, Owner(fake)).backups(SESSION)).backups[0].generation
    pack = max(keys_of(store, ObjectKind.PACK, generation=generation), key=lambda key: len(store.data[key]))
    data = store.data[pack]
    for broken in (None, data[:-1]):
        await (store.delete([pack]) if broken is None else store.write(pack, broken))
        states = [entry.state for entry in (await Replica(store, fake, Owner(fake)).backups(SESSION)).backups]
        assert states[0] == "bad"
        assert states[2] == "scrubbed"
    assert len(trees) == 3


async def test_a_lost_key_object_is_written_anew_from_a_manifest(fake: FakeClock) -> None:
    store = MemoryObjectStore(fake)
    replica = Replica(store, fake, Owner(fake))
    await replica.claim(SESSION)
    await replica.back_up(SESSION, OLD)
    (key,) = keys_of(store, ObjectKind.DATA_KEY)
    await store.write(key, b"garbage")
    cold = Replica(store, fake, replica.owner)
    second = await cold.back_up(SESSION, {**OLD, "x": b"1"})
    assert second.new_chunks == 1
    assert store.data[key] != b"garbage"
    assert keys_of(store, ObjectKind.DATA_KEY) == [key]
    for name in keys_of(store, ObjectKind.MANIFEST):
        await store.delete([name])
    assert (await Replica(store, fake, replica.owner).back_up(SESSION, OLD)).backup


async def test_with_all_copies_of_the_key_lost_the_next_backup_makes_a_new_one(fake: FakeClock) -> None:
    store = MemoryObjectStore(fake)
    replica = Replica(store, fake, Owner(fake))
    await replica.claim(SESSION)
    await replica.back_up(SESSION, OLD)
    for name in keys_of(store, ObjectKind.DATA_KEY, ObjectKind.MANIFEST):
        await store.write(name, b"garbage")
    cold = Replica(store, fake, replica.owner)
    assert [entry.state for entry in (await cold.backups(SESSION)).backups] == ["bad"]
    stored = await cold.back_up(SESSION, OLD)
    assert await cold.restore(SESSION, stored.backup) == OLD


async def test_an_object_put_in_the_place_of_another_is_found(fake: FakeClock) -> None:
    store = MemoryObjectStore(fake)
    trees = await fill(store, fake)
    manifests = keys_of(store, ObjectKind.MANIFEST)
    old, new = manifests[-2], manifests[-1]
    await store.write(new, store.data[old])
    name, failed = await walk(Replica(store, fake, Owner(fake)), trees)
    assert failed[0] == new.split("/")[-1]
    assert name != failed[0]


async def test_a_store_that_writes_wrong_bytes_is_caught_before_the_backup_exists(fake: FakeClock) -> None:
    class Lying(MemoryObjectStore):
        async def write(self, key: str, data: bytes | bytearray) -> None:
            await super().write(key, bytes(len(data)) if is_of(key, ObjectKind.PACK) else data)

    replica = Replica(Lying(fake), fake, Owner(fake))
    await replica.claim(SESSION)
    with pytest.raises(ServiceError) as error:
        await replica.back_up(SESSION, OLD)
    assert error.value.code == "scrub_failed"
    assert (await replica.backups(SESSION)).backups == ()


async def test_one_bad_read_on_the_way_is_not_damage(fake: FakeClock) -> None:
    class Flaky(MemoryObjectStore):
        async def read(self, key: str, *, start: int = 0, length: int | None = None):  # type: ignore[no-untyped-def]
            blob = await super().read(key, start=start, length=length)
            if is_of(key, ObjectKind.PACK) and blob and key not in seen:
                seen.add(key)
                return type(blob)(blob.data[:-1] + b"?", blob.etag)
            return blob

    seen: set[str] = set()
    store = Flaky(fake)
    replica = Replica(store, fake, Owner(fake), scrub=False)
    await replica.claim(SESSION)
    stored = await replica.back_up(SESSION, OLD)
    assert await replica.restore(SESSION, stored.backup) == OLD
    assert not keys_of(store, ObjectKind.CORRUPTION_MARKER)
