"""Writing and reading backups without a bus: in memory, and the same on a real S3 server."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from backup_support import Owner, Replica, Tree, days, keys_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_object_store import MemoryObjectStore

from backup.adapters.s3_store import S3Options, S3Store
from backup.domain import layout
from backup.domain.generations import GenerationPolicy
from backup.domain.layout import ObjectKind
from backup.domain.retention import RetentionPolicy
from shared.clock import SystemClock
from shared.contracts.backups import StoreSnapshot
from shared.contracts.errors import Fenced, Invalid, NotFound, Unavailable
from shared.contracts.snapshots import CHUNK_BYTES, FileEntry, SnapshotManifest, digest
from shared.testing import FakeClock, S3Server

SESSION = "shop"
TREE: Tree = {
    "Default/Local Storage/leveldb/CURRENT": b"MANIFEST-000001\n",
    "Default/IndexedDB/1.ldb": os.urandom(3 * CHUNK_BYTES + 17),
    "Default/Preferences": b'{"a": 1}' * 4000,
    "Default/empty": b"",
}


@pytest.fixture(params=["memory", "s3"])
async def replica(request: pytest.FixtureRequest) -> AsyncIterator[Replica]:
    clock = SystemClock()
    if request.param == "memory":
        yield Replica(MemoryObjectStore(clock), clock, Owner(clock))
        return
    s3: S3Server = request.getfixturevalue("s3")
    store = S3Store(
        S3Options(
            endpoint=s3.endpoint,
            bucket=f"t-{uuid4().hex[:16]}",
            access_key_id=s3.access_key,
            secret_access_key=s3.secret_key,
        )
    )
    yield Replica(store, clock, Owner(clock))
    store.close()


@pytest.fixture
def fake() -> FakeClock:
    return FakeClock()


@pytest.fixture
def memory(fake: FakeClock) -> MemoryObjectStore:
    return MemoryObjectStore(fake)


@pytest.fixture
def quick(memory: MemoryObjectStore, fake: FakeClock) -> Replica:
    return Replica(memory, fake, Owner(fake))


async def test_a_backup_restores_bit_by_bit(replica: Replica) -> None:
    await replica.claim(SESSION)
    stored = await replica.back_up(SESSION, TREE)
    assert await replica.restore(SESSION, stored.backup) == TREE
    listed = await replica.backups(SESSION)
    assert [(entry.id, entry.state, entry.bytes) for entry in listed.backups] == [
        (stored.backup, "scrubbed", sum(len(data) for data in TREE.values()))
    ]
    assert "newest" in listed.backups[0].kept_because
    assert listed.stored_bytes >= stored.stored_bytes > 0


async def test_twenty_backups_with_changing_files_restore_each_as_it_was(replica: Replica) -> None:
    await replica.claim(SESSION)
    chance = random.Random(7)
    tree = dict(TREE)
    kept: list[tuple[str, Tree]] = []
    for number in range(20):
        tree[f"Default/{number % 6}.log"] = chance.randbytes(chance.randrange(0, 2 * CHUNK_BYTES))
        if number % 5 == 4:
            del tree[f"Default/{number % 3}.log"]
        stored = await replica.back_up(SESSION, tree)
        kept.append((stored.backup, dict(tree)))
    assert len({name for name, _ in kept}) == 20
    for name, expected in kept:
        assert await replica.restore(SESSION, name) == expected


async def test_the_second_backup_uploads_only_what_changed(replica: Replica) -> None:
    await replica.claim(SESSION)
    first = await replica.back_up(SESSION, TREE)
    replica.owner.reads.clear()
    second = await replica.back_up(SESSION, {**TREE, "Default/new": b"new"})
    assert first.new_chunks == first.chunks
    assert (second.chunks, second.new_chunks, second.new_bytes) == (first.chunks + 1, 1, 3)
    assert len(replica.owner.reads) == 2
    generations = {entry.generation for entry in (await replica.backups(SESSION)).backups}
    assert len(generations) == 1


async def test_chunks_of_any_earlier_backup_of_the_generation_are_used_again(replica: Replica) -> None:
    await replica.claim(SESSION)
    big = os.urandom(CHUNK_BYTES)
    await replica.back_up(SESSION, {**TREE, "b": big})
    await replica.back_up(SESSION, TREE)
    third = await replica.back_up(SESSION, {**TREE, "c": big, "d": b"d"})
    assert third.new_chunks == 1
    assert (await replica.restore(SESSION, third.backup))["c"] == big


async def test_the_same_content_again_writes_nothing(quick: Replica, memory: MemoryObjectStore) -> None:
    await quick.claim(SESSION)
    first = await quick.back_up(SESSION, TREE)
    writes = memory.writes
    again = await quick.back_up(SESSION, TREE)
    assert again.unchanged
    assert again.backup == first.backup
    assert memory.writes == writes


async def test_the_same_offer_again_gives_the_same_answer(replica: Replica) -> None:
    await replica.claim(SESSION)
    offer = replica.owner.offer(SESSION, TREE)
    first = await replica.writer.write(SESSION, offer)
    assert await replica.writer.write(SESSION, offer) == first
    assert len((await replica.backups(SESSION)).backups) == 1


async def test_the_same_offer_during_its_backup_joins_it(replica: Replica) -> None:
    await replica.claim(SESSION)
    offer = replica.owner.offer(SESSION, TREE)
    answers = await asyncio.gather(*(replica.writer.write(SESSION, offer) for _ in range(5)))
    assert len(set(answers)) == 1
    assert len(replica.owner.reads) == len(set(replica.owner.reads))


async def test_two_replicas_that_store_the_same_at_once_make_one_whole_backup(replica: Replica) -> None:
    await replica.claim(SESSION)
    other = Replica(replica.store, SystemClock(), replica.owner)
    offer = replica.owner.offer(SESSION, TREE)
    one, two = await asyncio.gather(replica.writer.write(SESSION, offer), other.writer.write(SESSION, offer))
    assert one.backup == two.backup
    listed = (await replica.backups(SESSION)).backups
    assert [entry.id for entry in listed] == [one.backup]
    assert await other.restore(SESSION, one.backup) == TREE


async def test_two_replicas_that_store_different_snapshots_at_once_make_two_backups(replica: Replica) -> None:
    await replica.claim(SESSION)
    other = Replica(replica.store, SystemClock(), replica.owner)
    changed = {**TREE, "x": b"x"}
    now = SystemClock().now()
    one, two = await asyncio.gather(
        replica.back_up(SESSION, TREE, taken_at=now),
        other.back_up(SESSION, changed, taken_at=now + timedelta(milliseconds=1)),
    )
    assert one.backup != two.backup
    listed = [entry.id for entry in (await replica.backups(SESSION)).backups]
    trees = [await replica.restore(SESSION, name) for name in listed]
    assert sorted(len(tree) for tree in trees) == [len(TREE), len(changed)]


async def test_claimants_that_race_get_different_epochs_and_the_highest_may_store(replica: Replica) -> None:
    replicas = [Replica(replica.store, SystemClock(), replica.owner) for _ in range(6)]
    epochs = await asyncio.gather(
        *(replica.claim(SESSION, nonce=f"n{number}") for number, replica in enumerate(replicas))
    )
    assert len(set(epochs)) == 6
    for epoch in sorted(epochs):
        if epoch < max(epochs):
            with pytest.raises(Fenced):
                await replica.back_up(SESSION, TREE, epoch=epoch)
    assert (await replica.back_up(SESSION, TREE, epoch=max(epochs))).backup


async def test_an_owner_that_lost_the_session_during_its_backup_leaves_no_backup(replica: Replica) -> None:
    epoch = await replica.claim(SESSION)

    async def overtaken(reads: int) -> None:
        if reads == 3:
            await replica.claim(SESSION, nonce="other")

    replica.owner.before_read = overtaken
    with pytest.raises(Fenced):
        await replica.back_up(SESSION, TREE, epoch=epoch)
    replica.owner.before_read = None
    assert (await replica.backups(SESSION)).backups == ()


async def test_the_same_nonce_gets_its_epoch_again(replica: Replica) -> None:
    first = await replica.claim(SESSION, nonce="a", at_least=5)
    assert first == 5
    assert await replica.claim(SESSION, nonce="a", at_least=5) == 5
    assert await replica.claim(SESSION, nonce="b", at_least=3) == 6
    assert await replica.claim(SESSION, nonce="b", at_least=9) == 9


@pytest.mark.parametrize("broken", [None, b"", b"{}", b"garbage", b'{"format":1,"epoch":1}'])
async def test_a_lost_or_damaged_head_is_rebuilt_from_the_backups(replica: Replica, broken: bytes | None) -> None:
    await replica.claim(SESSION, at_least=41)
    await replica.back_up(SESSION, TREE, epoch=41)
    key = layout.head(SESSION)
    await replica.store.delete([key])
    if broken is not None:
        await replica.store.write(key, broken)
    with pytest.raises(Fenced):
        await replica.back_up(SESSION, {"a": b"1"}, epoch=40)
    assert (await replica.back_up(SESSION, {"a": b"2"}, epoch=41)).backup
    assert await replica.claim(SESSION, nonce="next") == 42


async def test_backups_go_on_after_others_wiped_the_store(replica: Replica) -> None:
    await replica.claim(SESSION, at_least=3)
    await replica.back_up(SESSION, TREE, epoch=3)
    await replica.store.delete([item.key for item in await replica.store.list_objects(layout.ROOT)])
    stored = await replica.back_up(SESSION, {**TREE, "x": b"1"}, epoch=3)
    assert await replica.restore(SESSION, stored.backup) == {**TREE, "x": b"1"}


async def test_a_failed_backup_leaves_nothing_to_see_and_the_next_works(replica: Replica) -> None:
    await replica.claim(SESSION)

    async def gone(reads: int) -> None:
        if reads > 4:
            raise NotFound("the snapshot is gone")

    replica.owner.before_read = gone
    with pytest.raises(NotFound):
        await replica.back_up(SESSION, TREE)
    assert (await replica.backups(SESSION)).backups == ()
    assert replica.reports.failed_ == ["not_found"]
    replica.owner.before_read = None
    stored = await replica.back_up(SESSION, TREE)
    assert await replica.restore(SESSION, stored.backup) == TREE


async def test_the_session_and_its_backups_are_apart_from_those_of_others(replica: Replica) -> None:
    await replica.claim("one")
    await replica.claim("one-more")
    first = await replica.back_up("one", TREE)
    second = await replica.back_up("one-more", {"a": b"1"})
    assert [entry.id for entry in (await replica.backups("one")).backups] == [first.backup]
    assert await replica.restore("one-more", second.backup) == {"a": b"1"}
    assert (await replica.backups("nobody")).backups == ()


async def test_what_does_not_exist_is_not_found(replica: Replica) -> None:
    await replica.claim(SESSION)
    stored = await replica.back_up(SESSION, TREE)
    with pytest.raises(NotFound):
        await replica.restore(SESSION, "0000000001-00000009-20260101T000000000Z")
    with pytest.raises(NotFound) as error:
        await replica.repository.chunk(SESSION, stored.backup, digest(b"never"))
    assert error.value.code == "not_found"


BAD_OFFERS = {
    "another session": {"session": "other"},
    "another epoch": {"epoch": 2},
    "a path out of the folder": {"files": (FileEntry(path="../x", bytes=1, chunks=(digest(b"x"),)),)},
    "an absolute path": {"files": (FileEntry(path="/x", bytes=1, chunks=(digest(b"x"),)),)},
    "too few chunks": {"files": (FileEntry(path="x", bytes=1, chunks=()),)},
    "no hash": {"files": (FileEntry(path="x", bytes=1, chunks=("../../../etc",)),)},
    "a path twice": {"files": (FileEntry(path="x", bytes=0), FileEntry(path="x", bytes=0))},
    "no files": {"files": ()},
    "a directory out of the folder": {"directories": ("a/../../b",)},
}


@pytest.mark.parametrize("change", BAD_OFFERS.values(), ids=BAD_OFFERS.keys())
async def test_an_offer_that_could_not_be_restored_is_refused(quick: Replica, change: dict[str, object]) -> None:
    fields: dict[str, object] = {
        "session": SESSION,
        "snapshot": "s",
        "epoch": 1,
        "taken_at": SystemClock().now(),
        "browser_version": "1",
        "files": (FileEntry(path="x", bytes=1, chunks=(digest(b"x"),)),),
    }
    await quick.claim(SESSION)
    offer = quick.owner.offer_manifest(SnapshotManifest(**{**fields, **change}))  # type: ignore[arg-type]
    offer = StoreSnapshot(snapshot="s", epoch=1, manifest_chunks=offer.manifest_chunks, total_bytes=offer.total_bytes)
    with pytest.raises(Invalid):
        await quick.writer.write(SESSION, offer)
    assert (await quick.backups(SESSION)).backups == ()


async def test_a_snapshot_over_the_limit_is_refused_before_anything_is_asked(memory: MemoryObjectStore) -> None:
    clock = SystemClock()
    replica = Replica(memory, clock, Owner(clock), max_snapshot_bytes=1000)
    await replica.claim(SESSION)
    with pytest.raises(Invalid):
        await replica.back_up(SESSION, {"a": bytes(1001)})
    assert replica.owner.reads == []


async def test_an_owner_that_lies_about_a_size_is_refused(quick: Replica) -> None:
    await quick.claim(SESSION)
    manifest = SnapshotManifest(
        session=SESSION,
        snapshot="s",
        epoch=1,
        taken_at=SystemClock().now(),
        browser_version="1",
        files=(FileEntry(path="x", bytes=5, chunks=(digest(b"xyz"),)),),
    )
    quick.owner.chunks[digest(b"xyz")] = b"xyz"
    with pytest.raises(Invalid):
        await quick.writer.write(SESSION, quick.owner.offer_manifest(manifest))
    assert (await quick.backups(SESSION)).backups == ()


async def test_a_new_generation_starts_each_day_and_the_old_ones_go_with_their_last_backup(
    quick: Replica, memory: MemoryObjectStore, fake: FakeClock
) -> None:
    await quick.claim(SESSION)
    tree = dict(TREE)
    for number in range(20):
        tree["day"] = str(number).encode()
        await quick.back_up(SESSION, tree)
        await quick.maintenance.maintain_all()
        fake.advance(days(1).total_seconds())
    listed = (await quick.backups(SESSION)).backups
    assert len({entry.generation for entry in listed}) == len(listed) == 24 - 4
    # A policy with few slots removes the older backups, generation by generation.
    few = Replica(memory, fake, quick.owner, retention=RetentionPolicy(five_minute=1, hourly=1, daily=3))
    await few.maintenance.maintain_all()
    left = (await few.backups(SESSION)).backups
    assert [entry.id for entry in left] == [entry.id for entry in listed[:3]]
    assert {generation_of(key) for key in keys_of(memory, ObjectKind.PACK)} == {entry.generation for entry in left}
    assert [await few.restore(SESSION, entry.id) for entry in left]


def generation_of(key: str) -> str:
    parsed = layout.parse_key(key)
    assert parsed is not None
    return parsed.generation


async def test_retention_never_removes_a_pack_that_a_kept_backup_needs(quick: Replica, fake: FakeClock) -> None:
    await quick.claim(SESSION)
    chance = random.Random(3)
    trees: dict[str, Tree] = {}
    tree = dict(TREE)
    for number in range(120):
        tree[f"f{number % 4}"] = chance.randbytes(3000)
        trees[(await quick.back_up(SESSION, tree)).backup] = dict(tree)
        fake.advance(chance.choice([300, 900, 3600, 20000]))
        if number % 10 == 0:
            await quick.maintenance.maintain_all()
    await quick.maintenance.maintain_all()
    listed = (await quick.backups(SESSION)).backups
    assert 12 <= len(listed) <= 52
    for entry in listed:
        assert entry.state == "scrubbed"
        assert await quick.restore(SESSION, entry.id) == trees[entry.id]


async def test_a_generation_that_is_half_unreferenced_is_not_continued(
    memory: MemoryObjectStore, fake: FakeClock
) -> None:
    replica = Replica(memory, fake, Owner(fake), retention=RetentionPolicy(five_minute=1, hourly=1, daily=1))
    await replica.claim(SESSION)
    for _ in range(4):
        await replica.back_up(SESSION, {"a": os.urandom(20_000), "b": b"same" * 100})
        fake.advance(300)
        await replica.maintenance.maintain_all()
    assert len((await replica.repository.list_backups(SESSION)).objects.generations) <= 2
    assert len({entry.generation for entry in (await replica.backups(SESSION)).backups}) == 1


async def test_orphans_of_a_failed_backup_are_removed_after_a_day(
    quick: Replica, memory: MemoryObjectStore, fake: FakeClock
) -> None:
    await quick.claim(SESSION)
    await quick.back_up(SESSION, TREE)
    fake.advance(days(2).total_seconds())

    async def gone(reads: int) -> None:
        raise NotFound("the snapshot is gone")

    generation = layout.pack(SESSION, "20260103T000000Z-00000000", "")
    await memory.write(generation + "a" * 64, b"left over")
    await quick.maintenance.maintain_all()
    assert await memory.list_objects(generation)
    fake.advance(days(1.1).total_seconds())
    await quick.maintenance.maintain_all()
    assert not await memory.list_objects(generation)
    assert len((await quick.backups(SESSION)).backups) == 1


async def test_a_tombstone_clears_and_fences_and_its_backups_are_removed_after_the_grace_time(
    quick: Replica, memory: MemoryObjectStore, fake: FakeClock
) -> None:
    epoch = await quick.claim(SESSION)
    await quick.back_up(SESSION, TREE, epoch=epoch)
    tombstone = await quick.epochs.write_tombstone(SESSION, epoch)
    assert (await quick.epochs.write_tombstone(SESSION, epoch)).tombstoned_at == tombstone.tombstoned_at
    listed = await quick.backups(SESSION)
    assert [entry.state for entry in listed.backups] == ["cleared"]
    assert listed.tombstoned_at == tombstone.tombstoned_at
    with pytest.raises(Fenced):
        await quick.back_up(SESSION, {"a": b"1"}, epoch=epoch)
    after = await quick.claim(SESSION)
    assert after > epoch
    fake.advance(3600)
    new = await quick.back_up(SESSION, {**TREE, "x": b"1"}, epoch=after)
    assert new.new_chunks == new.chunks
    assert len(keys_of(memory, ObjectKind.DATA_KEY)) == 2
    fake.advance(22.9 * 3600)
    await quick.maintenance.maintain_all()
    assert [entry.state for entry in (await quick.backups(SESSION)).backups] == ["scrubbed", "cleared"]
    fake.advance(0.2 * 3600)
    await quick.maintenance.maintain_all()
    listed = await quick.backups(SESSION)
    assert [(entry.id, entry.state) for entry in listed.backups] == [(new.backup, "scrubbed")]
    assert len(keys_of(memory, ObjectKind.DATA_KEY)) == 1
    assert await quick.restore(SESSION, new.backup) == {**TREE, "x": b"1"}


async def test_only_the_head_and_the_tombstone_of_a_cleared_session_remain(
    quick: Replica, memory: MemoryObjectStore, fake: FakeClock
) -> None:
    await quick.claim(SESSION)
    await quick.back_up(SESSION, TREE)
    fake.advance(60)
    await quick.epochs.write_tombstone(SESSION, 1)
    fake.advance(25 * 3600)
    await quick.maintenance.maintain_all()
    assert sorted(memory.data) == [layout.head(SESSION), layout.tombstone(SESSION)]


async def test_a_damaged_tombstone_makes_the_list_unknown_and_removes_nothing(
    quick: Replica, memory: MemoryObjectStore, fake: FakeClock
) -> None:
    await quick.claim(SESSION)
    await quick.back_up(SESSION, TREE)
    await memory.write(layout.tombstone(SESSION), b"garbage")
    fake.advance(30 * 86400)
    await quick.maintenance.maintain_all()
    with pytest.raises(Unavailable) as error:
        await quick.backups(SESSION)
    assert error.value.code == "tombstone_unverified"
    assert keys_of(memory, ObjectKind.MANIFEST)
    await quick.epochs.write_tombstone(SESSION, 1)
    assert [entry.state for entry in (await quick.backups(SESSION)).backups] == ["cleared"]


async def test_another_master_key_is_unknown_not_damage_and_the_previous_one_helps(
    quick: Replica, memory: MemoryObjectStore, fake: FakeClock
) -> None:
    old, new = bytes(range(32)), bytes(range(32, 64))
    await quick.claim(SESSION)
    stored = await quick.back_up(SESSION, TREE)
    changed = Replica(memory, fake, quick.owner, master=new)
    with pytest.raises(Unavailable) as error:
        await changed.backups(SESSION)
    assert error.value.code == "wrong_master_key"
    with pytest.raises(Unavailable):
        await changed.back_up(SESSION, {"a": b"1"})
    rotating = Replica(memory, fake, quick.owner, master=new, previous=(old,))
    assert await rotating.restore(SESSION, stored.backup) == TREE
    second = await rotating.back_up(SESSION, {**TREE, "x": b"1"})
    assert second.new_chunks == 1
    # The key's object is now under the new master key, so both backups decrypt without the old one.
    after = Replica(memory, fake, quick.owner, master=new)
    assert await after.restore(SESSION, stored.backup) == TREE
    assert await after.restore(SESSION, second.backup) == {**TREE, "x": b"1"}


async def test_a_store_that_cannot_be_asked_is_unavailable_everywhere(
    quick: Replica, memory: MemoryObjectStore
) -> None:
    await quick.claim(SESSION)
    stored = await quick.back_up(SESSION, TREE)
    memory.fail = True
    with pytest.raises(Unavailable):
        await quick.backups(SESSION)
    with pytest.raises(Unavailable):
        await quick.claim(SESSION, nonce="x")
    with pytest.raises(Unavailable):
        await quick.back_up(SESSION, {"a": b"1"})
    with pytest.raises(Unavailable):
        await Replica(memory, SystemClock(), quick.owner).restore(SESSION, stored.backup)
    with pytest.raises(Unavailable):
        await quick.epochs.write_tombstone(SESSION, 1)
    memory.fail = False
    assert await quick.restore(SESSION, stored.backup) == TREE


names = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)
trees = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map("/".join),
    st.one_of(
        st.binary(max_size=200),
        st.tuples(st.binary(min_size=1, max_size=9), st.integers(1, CHUNK_BYTES // 3)).map(lambda t: t[0] * t[1]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(trees, min_size=1, max_size=4))
def test_any_trees_restore_as_they_were(all_trees: list[dict[str, bytes]]) -> None:
    async def run() -> None:
        clock = FakeClock()
        replica = Replica(
            MemoryObjectStore(clock), clock, Owner(clock), generations=GenerationPolicy(max_age=timedelta(hours=1))
        )
        await replica.claim(SESSION)
        kept = {}
        for tree in all_trees:
            kept[(await replica.back_up(SESSION, tree)).backup] = tree
            clock.advance(1500)
        cold = Replica(replica.store, clock, replica.owner)
        for name, tree in kept.items():
            assert await cold.restore(SESSION, name) == tree

    asyncio.run(run())
