"""The store is lost, refuses, is silent or cuts off; the service, the store or the bus is killed at work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from backup_support import BackupService, Client, Owner, Tree, connect, serving

from backup.adapters.s3_store import S3Options, S3Store
from backup.domain import layout
from shared.bus import Bus
from shared.clock import SystemClock
from shared.contracts.backups import Stored
from shared.contracts.errors import ServiceError, TryAgain, Unavailable
from shared.testing import FaultProxy, NatsServer, S3Server, eventually

TREE: Tree = {"Default/a": os.urandom(6_000_000), "Default/b": b"text " * 5000}
QUICK = {
    "S3_CONNECT_TIMEOUT_MS": "500",
    "S3_READ_TIMEOUT_MS": "1000",
    "S3_ATTEMPTS": "2",
    "S3_BUDGET_MS": "4000",
    "STORE_PROBE_INTERVAL_MS": "300",
}


class Site:
    """A backup service with a proxy before its store, and a worker."""

    def __init__(self, folder: Path, nats: NatsServer, s3: S3Server, bus: Bus) -> None:
        self.proxy = FaultProxy(s3.endpoint).start()
        self.session = f"s-{uuid4().hex[:12]}"
        self.owner = Owner(SystemClock())
        self.worker = Client(bus, self.session, self.owner)
        self.service = BackupService(folder, nats, s3, endpoint=self.proxy.url, **QUICK)

    async def begin(self, bus: Bus) -> None:
        await self.owner.serve(bus, self.session)
        self.service.start()

    def close(self) -> None:
        self.service.stop()
        self.proxy.stop()


@pytest.fixture
async def own_bus(nats: NatsServer) -> AsyncIterator[Bus]:
    bus = await connect(nats)
    yield bus
    await bus.drain()


@pytest.fixture
async def site(tmp_path: Path, nats: NatsServer, s3: S3Server, own_bus: Bus) -> AsyncIterator[Site]:
    made = Site(tmp_path, nats, s3, own_bus)
    await made.begin(own_bus)
    yield made
    made.close()


@pytest.mark.parametrize("mode", ["refuse", "hang", "403", "cut"])
async def test_a_store_that_cannot_be_asked_is_unavailable_until_it_is_back(site: Site, mode: str) -> None:
    await serving(site.worker)
    await site.worker.claim()
    stored = await site.worker.back_up(TREE)
    site.proxy.cut_after_bytes = 0
    site.proxy.mode = mode
    for ask in (site.worker.backups, lambda: site.worker.claim(nonce="x"), lambda: site.worker.back_up({"a": b"1"})):
        with pytest.raises(Unavailable):
            await ask()
    await eventually(lambda: "store_lost" in site.service.log, timeout=15)
    site.proxy.mode = "pass"

    async def back() -> bool:
        try:
            return [entry.id for entry in (await site.worker.backups()).backups] == [stored.backup]
        except ServiceError:
            return False

    await eventually(back, timeout=15)
    assert await site.worker.restore(stored.backup) == TREE
    assert (await site.worker.back_up({**TREE, "x": b"1"})).new_chunks == 1


@pytest.mark.parametrize("mode", ["refuse", "hang", "403"])
async def test_it_starts_and_lives_without_a_store_and_serves_once_it_is_there(
    tmp_path: Path, nats: NatsServer, s3: S3Server, own_bus: Bus, mode: str
) -> None:
    site = Site(tmp_path, nats, s3, own_bus)
    site.proxy.mode = mode
    try:
        await site.begin(own_bus)
        await eventually(lambda: '"serving"' in site.service.log, timeout=20)
        with pytest.raises(Unavailable):
            await site.worker.backups()
        assert site.service.process is not None
        assert site.service.process.alive
        site.proxy.mode = "pass"
        await serving(site.worker)
        await site.worker.claim()
        assert (await site.worker.back_up(TREE)).backup
    finally:
        site.close()


@pytest.mark.parametrize("mode", ["refuse", "hang", "403", "cut"])
async def test_a_store_lost_during_an_upload_leaves_nothing_to_see(site: Site, mode: str) -> None:
    await serving(site.worker)
    await site.worker.claim()

    async def lose(reads: int) -> None:
        if reads == 6:
            site.proxy.mode = mode

    site.owner.before_read = lose
    site.proxy.cut_after_bytes = 0
    with pytest.raises(Unavailable):
        await site.worker.back_up(TREE)
    site.owner.before_read = None
    site.proxy.mode = "pass"
    await serving(site.worker)
    assert (await site.worker.backups()).backups == ()
    stored = await site.worker.back_up(TREE)
    assert await site.worker.restore(stored.backup) == TREE


async def test_a_restore_that_is_cut_off_fails_as_unavailable_and_can_be_repeated(site: Site) -> None:
    await serving(site.worker)
    await site.worker.claim()
    stored = await site.worker.back_up(TREE)
    site.proxy.cut_after_bytes = 100_000
    site.proxy.mode = "cut"
    with pytest.raises(Unavailable):
        await site.worker.restore(stored.backup)
    site.proxy.mode = "pass"
    assert await site.worker.restore(stored.backup) == TREE
    assert [entry.state for entry in (await site.worker.backups()).backups] == ["scrubbed"]


async def test_the_service_killed_during_a_backup_leaves_nothing_to_see(site: Site) -> None:
    await serving(site.worker)
    await site.worker.claim()
    first = await site.worker.back_up(TREE)
    killed = asyncio.Event()

    async def kill(reads: int) -> None:
        if reads == 20 and not killed.is_set():
            assert site.service.process is not None
            site.service.process.kill()
            killed.set()

    site.owner.reads.clear()
    site.owner.before_read = kill
    changed = {**TREE, "Default/c": os.urandom(20_000_000)}
    with pytest.raises(TryAgain):
        await site.worker.store(site.owner.offer(site.session, changed), timeout=5)
    assert killed.is_set()
    site.service.start()
    await serving(site.worker)
    assert [entry.id for entry in (await site.worker.backups()).backups] == [first.backup]
    second = await site.worker.back_up(changed)
    assert await site.worker.restore(second.backup) == changed
    assert await site.worker.restore(first.backup) == TREE


async def test_a_second_replica_takes_over_when_one_is_killed(
    site: Site, tmp_path: Path, nats: NatsServer, s3: S3Server
) -> None:
    await serving(site.worker)
    other = BackupService(tmp_path / "other", nats, s3, **QUICK)
    other.start()
    try:
        await eventually(lambda: '"serving"' in other.log, timeout=20)
        await site.worker.claim()
        trees = [{**TREE, "n": str(number).encode()} for number in range(4)]
        kept = [(await site.worker.back_up(tree)).backup for tree in trees]
        assert site.service.process is not None
        site.service.process.kill()
        await serving(site.worker)  # a request may be lost with the killed replica until NATS notices its end
        for name, tree in zip(kept, trees, strict=True):
            assert await site.worker.restore(name) == tree
        assert (await site.worker.back_up({**TREE, "n": b"after"})).new_chunks == 1
    finally:
        other.stop()


async def stored_if_it_can_be(site: Site, tree: dict[str, bytes]) -> Stored | None:
    """None while the server, which has just started, still answers 500."""
    try:
        return await site.worker.back_up(tree)
    except Unavailable:
        return None


async def test_the_s3_server_killed_during_a_backup_loses_nothing_that_was_stored(
    tmp_path: Path, nats: NatsServer, own_bus: Bus
) -> None:
    s3 = S3Server().start(tmp_path / "s3")
    site = Site(tmp_path / "backup", nats, s3, own_bus)
    try:
        await site.begin(own_bus)
        await serving(site.worker)
        await site.worker.claim()
        first = await site.worker.back_up(TREE)

        async def kill(reads: int) -> None:
            if reads == 20:
                await asyncio.to_thread(s3.kill)

        site.owner.reads.clear()
        site.owner.before_read = kill
        changed = {**TREE, "Default/c": os.urandom(20_000_000)}
        with pytest.raises(Unavailable):
            await site.worker.back_up(changed)
        site.owner.before_read = None
        with pytest.raises(Unavailable):
            await site.worker.backups()
        await asyncio.to_thread(s3.restart)
        await serving(site.worker, timeout=60)
        assert [entry.id for entry in (await site.worker.backups()).backups] == [first.backup]
        second = await eventually(lambda: stored_if_it_can_be(site, changed), timeout=60)
        assert second is not None
        assert await site.worker.restore(second.backup) == changed
        assert await site.worker.restore(first.backup) == TREE
    finally:
        site.close()
        s3.kill()


async def test_an_owner_killed_during_its_offer_leaves_nothing_to_see(site: Site, nats: NatsServer) -> None:
    await serving(site.worker)
    lone = f"s-{uuid4().hex[:12]}"
    owner_bus = await connect(nats)
    owner = Owner(SystemClock())
    await owner.serve(owner_bus, lone)
    worker = Client(site.worker.bus, lone, owner)
    await worker.claim()

    async def leave(reads: int) -> None:
        if reads == 5:
            await owner_bus._transport.close()

    owner.before_read = leave
    with pytest.raises(TryAgain):
        await worker.store(owner.offer(lone, TREE), timeout=60)
    assert (await worker.backups()).backups == ()


async def test_the_service_survives_a_restart_of_nats(tmp_path: Path, s3: S3Server) -> None:
    nats = NatsServer().start(tmp_path / "nats")
    bus = await connect(nats)
    site = Site(tmp_path / "backup", nats, s3, bus)
    try:
        await site.begin(bus)
        await serving(site.worker)
        await site.worker.claim()
        stored = await site.worker.back_up(TREE)
        await asyncio.to_thread(nats.restart)
        await serving(site.worker)
        assert await site.worker.restore(stored.backup) == TREE
    finally:
        site.close()
        await bus.drain()
        nats.stop()


async def test_a_bucket_that_is_gone_is_unavailable_and_never_empty(s3: S3Server) -> None:
    options = S3Options(
        endpoint=s3.endpoint,
        bucket=f"gone-{uuid4().hex[:12]}",
        access_key_id=s3.access_key,
        secret_access_key=s3.secret_key,
    )
    store = S3Store(options)
    await store.write(layout.head("a"), b"1")
    await store.delete([layout.head("a")])
    await asyncio.to_thread(store._s3.delete_bucket, Bucket=options.bucket)
    for ask in (store.read(layout.head("a")), store.list_objects(layout.ROOT), store.folders(layout.ROOT)):
        with pytest.raises(Unavailable):
            await ask
    store.close()


async def test_a_wrong_secret_key_is_unavailable_with_a_hint_and_without_the_key(s3: S3Server) -> None:
    options = S3Options(
        endpoint=s3.endpoint, bucket=s3.bucket, access_key_id=s3.access_key, secret_access_key="wrong-secret-key"
    )
    store = S3Store(options)
    with pytest.raises(Unavailable) as error:
        await store.read(layout.head("a"))
    assert "S3_SECRET_ACCESS_KEY" in error.value.hint
    assert "wrong-secret-key" not in str(error.value)
    assert "wrong-secret-key" not in repr(options)
    store.close()


async def test_a_page_of_a_proxy_that_says_404_is_not_an_absent_object(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<html>no such app</html>"
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = S3Store(
        S3Options(endpoint=f"http://127.0.0.1:{port}", bucket="b", access_key_id="a", secret_access_key="s", attempts=1)
    )
    store._prepared = True
    for ask in (store.read("x"), store.list_objects("x"), store.create("x", b""), store.replace("x", b"", "e")):
        with pytest.raises(Unavailable):
            await ask
    store.close()
    server.close()
    await server.wait_closed()
