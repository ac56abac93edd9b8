"""One suite that every object store passes: the one in memory and a real S3 server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from backup_support import Owner, Replica
from memory_object_store import MemoryObjectStore

from backup.adapters.s3_store import S3Options, S3Store
from backup.ports import ObjectStore, Taken
from shared.clock import SystemClock
from shared.contracts.errors import Fenced
from shared.testing import S3Server


def s3_store(s3: S3Server) -> S3Store:
    return S3Store(
        S3Options(endpoint=s3.endpoint, bucket=s3.bucket, access_key_id=s3.access_key, secret_access_key=s3.secret_key)
    )


@pytest.fixture(params=["memory", "s3", "s3 without conditions"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryObjectStore(SystemClock())
        return
    real = s3_store(request.getfixturevalue("s3"))
    await real.prepare()
    if request.param == "s3 without conditions":
        real._conditional = False
    yield real
    real.close()


@pytest.fixture
def prefix() -> str:
    return f"suite/{uuid4().hex}/"


async def test_what_was_written_is_read(store: ObjectStore, prefix: str) -> None:
    await store.write(prefix + "a", b"hello")
    blob = await store.read(prefix + "a")
    assert blob is not None
    assert blob.data == b"hello"
    assert blob.etag


async def test_an_absent_object_is_none(store: ObjectStore, prefix: str) -> None:
    assert await store.read(prefix + "nothing") is None


async def test_a_range_gives_what_there_is(store: ObjectStore, prefix: str) -> None:
    await store.write(prefix + "a", b"0123456789")
    for start, length, expected in ((2, 3, b"234"), (8, 5, b"89"), (20, 5, b""), (5, None, b"56789"), (0, 4, b"0123")):
        blob = await store.read(prefix + "a", start=start, length=length)
        assert blob is not None
        assert blob.data == expected


async def test_a_range_of_an_absent_object_is_none(store: ObjectStore, prefix: str) -> None:
    assert await store.read(prefix + "nothing", start=3, length=4) is None


async def test_the_etag_changes_with_the_content(store: ObjectStore, prefix: str) -> None:
    await store.write(prefix + "a", b"1")
    first = await store.read(prefix + "a")
    await store.write(prefix + "a", b"2")
    second = await store.read(prefix + "a")
    assert first is not None
    assert second is not None
    assert first.etag != second.etag


async def test_creating_twice_is_refused_and_changes_nothing(store: ObjectStore, prefix: str) -> None:
    await store.create(prefix + "a", b"first")
    with pytest.raises(Taken):
        await store.create(prefix + "a", b"second")
    blob = await store.read(prefix + "a")
    assert blob is not None
    assert blob.data == b"first"


async def test_replacing_something_that_changed_or_went_is_refused(store: ObjectStore, prefix: str) -> None:
    await store.create(prefix + "a", b"1")
    first = await store.read(prefix + "a")
    assert first is not None
    await store.replace(prefix + "a", b"2", first.etag)
    with pytest.raises(Taken):
        await store.replace(prefix + "a", b"3", first.etag)
    await store.delete([prefix + "a"])
    with pytest.raises(Taken):
        await store.replace(prefix + "a", b"4", first.etag)
    assert await store.read(prefix + "a") is None


async def test_a_listing_shows_keys_sizes_etags_and_times(store: ObjectStore, prefix: str) -> None:
    await store.write(prefix + "b/2", b"22")
    await store.write(prefix + "a", b"1")
    items = await store.list_objects(prefix)
    assert sorted((item.key, item.bytes) for item in items) == [(prefix + "a", 1), (prefix + "b/2", 2)]
    blob = await store.read(prefix + "a")
    assert blob is not None
    assert next(item.etag for item in items if item.key == prefix + "a") == blob.etag
    assert all(abs((SystemClock().now() - item.modified_at).total_seconds()) < 60 for item in items)


async def test_nothing_listed_is_an_empty_list(store: ObjectStore, prefix: str) -> None:
    assert await store.list_objects(prefix) == []


async def test_folders_are_the_next_level(store: ObjectStore, prefix: str) -> None:
    for key in ("x/1", "x/2", "y/deep/3", "plain"):
        await store.write(prefix + key, b"1")
    assert sorted(await store.folders(prefix)) == ["x", "y"]


async def test_deleting_what_is_gone_is_fine(store: ObjectStore, prefix: str) -> None:
    await store.write(prefix + "a", b"1")
    await store.delete([prefix + "a", prefix + "never"])
    await store.delete([prefix + "a"])
    assert await store.read(prefix + "a") is None


@pytest.mark.parametrize("store", ["memory", "s3"], indirect=True)
async def test_a_listing_longer_than_one_page_is_whole(store: ObjectStore, prefix: str) -> None:
    keys = [f"{prefix}{number:04d}" for number in range(1100)]
    for start in range(0, len(keys), 100):
        await asyncio.gather(*(store.write(key, b"1") for key in keys[start : start + 100]))
    assert sorted(item.key for item in await store.list_objects(prefix)) == keys
    await asyncio.gather(*(store.delete([key]) for key in keys))


async def test_only_one_of_many_that_create_at_once_wins(s3: S3Server, prefix: str) -> None:
    stores = [s3_store(s3) for _ in range(3)]

    async def try_to_create(number: int) -> bool:
        try:
            await stores[number % 3].create(prefix + "race", str(number).encode())
        except Taken:
            return False
        return True

    won = await asyncio.gather(*(try_to_create(number) for number in range(24)))
    assert sum(won) == 1
    blob = await stores[0].read(prefix + "race")
    assert blob is not None
    assert won[int(blob.data)]
    for store in stores:
        store.close()


async def test_the_bucket_is_created_at_the_start_and_the_probe_object_is_removed(s3: S3Server) -> None:
    options = S3Options(
        endpoint=s3.endpoint,
        bucket=f"made-{uuid4().hex[:12]}",
        access_key_id=s3.access_key,
        secret_access_key=s3.secret_key,
    )
    store = S3Store(options)
    await store.prepare()
    assert store.conditional
    assert await store.list_objects("") == []
    store.close()


async def test_a_server_that_ignores_conditions_is_found_at_the_start_and_epochs_still_grow(s3: S3Server) -> None:
    store = s3_store(s3)

    def forget(params: dict[str, Any], **_: object) -> None:
        for header in ("If-None-Match", "If-Match"):
            params["headers"].pop(header, None)

    store._s3.meta.events.register("before-call.s3.PutObject", forget)
    await store.prepare()
    assert not store.conditional
    epochs = Replica(store, SystemClock(), Owner(SystemClock())).epochs
    session = f"s-{uuid4().hex[:12]}"
    assert await epochs.claim(session, owner="a", nonce="a", at_least=1) == 1
    assert await epochs.claim(session, owner="b", nonce="b", at_least=1) == 2
    assert await epochs.claim(session, owner="b", nonce="b", at_least=1) == 2
    with pytest.raises(Fenced):
        await epochs.admit(session, 1)
    await epochs.admit(session, 2)
    store.close()


async def test_a_claim_whose_answer_was_lost_gets_its_own_epoch(s3: S3Server) -> None:
    """boto3 repeats a conditional write that has succeeded, and the store answers 412."""
    store = s3_store(s3)

    class Repeating:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def create(self, key: str, data: bytes) -> None:
            await store.create(key, data)
            await store.create(key, data)

    epochs = Replica(Repeating(), SystemClock(), Owner(SystemClock())).epochs  # type: ignore[arg-type]
    session = f"s-{uuid4().hex[:12]}"
    assert await epochs.claim(session, owner="a", nonce="a", at_least=7) == 7
    store.close()
