"""The service as a process, with a real nats-server and a real S3 server."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from backup_support import MASTER_KEY, METRICS_TOKEN, BackupService, Client, Owner, Tree, connect, serving
from documented_keys import DOCUMENTED_KEYS

from backup.domain import layout
from shared.bus import Bus, create_streams
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.backups import BackupEntry
from shared.contracts.errors import Fenced, Invalid, NotFound, NotRunning
from shared.contracts.events import BackupFailed, BackupStored
from shared.contracts.message import decode
from shared.contracts.telemetry import BackupHeartbeat
from shared.testing import NatsServer, S3Server, bus_environment, eventually

TREE: Tree = {"Default/a": os.urandom(1_300_000), "Default/b": b"text " * 5000, "empty": b""}


@pytest.fixture
async def bus(nats: NatsServer) -> AsyncIterator[Bus]:
    """Plays the worker, to whose inbox the backup service answers."""
    connected = await connect(nats)
    try:
        await create_streams(connected)
        yield connected
    finally:
        await connected.drain()


@pytest.fixture
async def client(service: BackupService, bus: Bus) -> Client:
    session = f"s-{uuid4().hex[:12]}"
    owner = Owner(SystemClock())
    await owner.serve(bus, session)
    worker = Client(bus, session, owner)
    await serving(worker)
    return worker


def port_of(service: BackupService) -> int:
    return int(re.findall(r'"port": ?(\d+)', service.log)[-1])


def fetch(url: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_a_snapshot_goes_to_s3_and_comes_back_bit_by_bit(client: Client) -> None:
    claimed = await client.claim()
    assert claimed.conditional_writes
    stored = await client.back_up(TREE, epoch=claimed.epoch)
    assert stored.new_chunks == stored.chunks == 4
    assert await client.restore(stored.backup) == TREE
    listed = await client.backups()
    assert [(entry.id, entry.state, entry.browser_version) for entry in listed.backups] == [
        (stored.backup, "scrubbed", client.owner.version)
    ]


async def test_nothing_readable_of_the_profile_lies_in_the_bucket(client: Client, s3: S3Server) -> None:
    import boto3

    secret = b"BEGIN-SECRET-OF-THE-PROFILE"
    await client.claim()
    await client.back_up({f"Default/{secret.decode()}": secret * 3000})
    raw = boto3.client(
        "s3", endpoint_url=s3.endpoint, aws_access_key_id=s3.access_key, aws_secret_access_key=s3.secret_key,
        region_name="us-east-1",
    )  # fmt: skip
    keys = [
        item["Key"]
        for item in raw.list_objects_v2(Bucket=s3.bucket, Prefix=layout.session_prefix(client.session))["Contents"]
    ]
    assert len(keys) == 5
    for key in keys:
        data = raw.get_object(Bucket=s3.bucket, Key=key)["Body"].read()
        assert secret[:10] not in data
        assert base64.b64encode(MASTER_KEY)[:20] not in data
        assert any(re.fullmatch(pattern, key) for pattern in DOCUMENTED_KEYS)
    raw.close()


async def test_twenty_backups_of_random_trees_restore_each_as_it_was(client: Client) -> None:
    await client.claim()
    chance = random.Random(5)
    tree: dict[str, bytes] = dict(TREE)
    kept: dict[str, Tree] = {}
    for number in range(20):
        tree[f"d{number % 3}/f{number % 7}"] = chance.randbytes(
            chance.choice([0, 1, 524_287, 524_288, 524_289, 900_000])
        )
        kept[(await client.back_up(tree)).backup] = dict(tree)
    assert len(kept) == 20
    for name, expected in kept.items():
        assert await client.restore(name) == expected


async def test_errors_keep_their_class_over_the_bus(client: Client, bus: Bus) -> None:
    epoch = (await client.claim()).epoch
    with pytest.raises(Fenced):
        await client.back_up(TREE, epoch=epoch + 1)
    with pytest.raises(NotFound):
        await client.restore("0000000001-00000001-20260101T000000000Z")
    with pytest.raises(Invalid):
        await client.chunk("x", f"../{layout.ObjectKind.HEAD}")
    with pytest.raises(Invalid):
        await Client(bus, "UPPER", client.owner).backups()
    with pytest.raises(Invalid):
        await client.claim(nonce="")


async def test_without_its_owner_a_backup_fails_at_once(client: Client, bus: Bus) -> None:
    alone = Client(bus, f"s-{uuid4().hex[:12]}", client.owner)
    epoch = (await alone.claim()).epoch
    with pytest.raises(NotRunning):
        await alone.back_up(TREE, epoch=epoch)
    assert (await alone.backups()).backups == ()


async def test_each_backup_and_each_failure_is_an_event(client: Client, bus: Bus) -> None:
    seen: list[tuple[str, bytes]] = []
    await bus.watch_events(lambda data, subject: seen.append((subject, data)), since_seconds=60)
    await client.claim()
    stored = await client.back_up(TREE)
    with pytest.raises(Fenced):
        await client.back_up({"a": b"1"}, epoch=77)

    def told(fact: str) -> bytes:
        subject = subjects.event("backup", fact, client.session)
        found = [data for name, data in seen if name == subject]
        assert found
        return found[0]

    event = decode(await eventually(lambda: told("stored")), BackupStored)
    assert (event.backup, event.bytes) == (stored.backup, sum(map(len, TREE.values())))
    assert decode(await eventually(lambda: told("failed")), BackupFailed).code == "fenced"


async def test_the_heartbeat_says_that_the_store_answers(client: Client, bus: Bus) -> None:
    beats: list[BackupHeartbeat] = []
    await bus.subscribe(subjects.BACKUP_HEARTBEATS, BackupHeartbeat, lambda beat, _: beats.append(beat))
    await eventually(lambda: beats, timeout=12)
    assert beats[0].store_ok
    assert beats[0].store_error == ""


async def test_metrics_and_health_can_be_read(client: Client, service: BackupService) -> None:
    await client.claim()
    stored = await client.back_up(TREE)
    await client.restore(stored.backup)
    base = f"http://127.0.0.1:{port_of(service)}"
    assert (await asyncio.to_thread(fetch, base + "/health/live"))[0] == 200
    assert (await asyncio.to_thread(fetch, base + "/health/ready"))[0] == 200
    _, text = await asyncio.to_thread(fetch, base + "/metrics")
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("wa_backup"))
    assert float(values["wa_backup_stored_total"]) >= 1
    assert float(values["wa_backup_store_up"]) == 1
    assert float(values["wa_backup_conditional_writes"]) == 1
    assert float(values["wa_backup_restored_bytes_total"]) >= 1_300_000
    newest = float(values[f'wa_backup_newest_bytes{{session="{client.session}"}}'])
    assert newest == sum(map(len, TREE.values()))


async def test_a_large_snapshot_is_stored_in_bounded_memory(client: Client, service: BackupService) -> None:
    assert service.process is not None
    process = psutil.Process(service.process.pid)
    await client.claim()
    await client.back_up({"warm": os.urandom(20_000_000)})
    before = process.memory_info().rss
    peak = before
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    tree = {f"big{number}": os.urandom(50_000_001) for number in range(4)}
    stored = await client.back_up(tree)
    done.set()
    await watching
    assert stored.new_bytes > 200_000_000
    assert peak - before < 70_000_000
    assert peak < 180_000_000


async def test_the_log_holds_no_secret(client: Client, service: BackupService, s3: S3Server) -> None:
    await client.claim()
    await client.back_up({"Default/secret-name": b"secret-content" * 100})
    for secret in (base64.b64encode(MASTER_KEY).decode(), s3.secret_key, "secret-name", "secret-content"):
        assert secret not in service.log


async def test_retention_in_a_real_bucket_leaves_what_restores(tmp_path: Path, nats: NatsServer, s3: S3Server) -> None:
    own = NatsServer().start(tmp_path / "nats")
    bucket = f"r-{uuid4().hex[:12]}"
    settings = {
        "S3_BUCKET": bucket,
        "RETENTION_FIVE_MINUTE": "1",
        "RETENTION_HOURLY": "1",
        "RETENTION_DAILY": "1",
        "RETENTION_INTERVAL_MS": "200",
        "GENERATION_HOURS": "0.0003",
    }
    running = BackupService(tmp_path / "backup", own, s3, **settings)
    running.start()
    bus = await connect(own)
    try:
        owner = Owner(SystemClock())
        worker = Client(bus, "kept", owner)
        await owner.serve(bus, "kept")
        await serving(worker)
        await worker.claim()
        generations = set()
        for number in range(6):
            tree = {**TREE, "n": str(number).encode()}
            stored = await worker.back_up(tree)
            generations.update(entry.generation for entry in (await worker.backups()).backups)
            if number % 2:
                await asyncio.sleep(1.2)

        async def only_few() -> tuple[BackupEntry, ...]:
            backups = (await worker.backups()).backups
            # Two when a five-minute border fell between them.
            assert len(backups) <= 2
            return backups

        left = await eventually(only_few, timeout=20)
        assert left[0].id == stored.backup
        assert len(generations) >= 3
        assert await worker.restore(stored.backup) == tree
        import boto3

        raw = boto3.client(
            "s3", endpoint_url=s3.endpoint, aws_access_key_id=s3.access_key, aws_secret_access_key=s3.secret_key,
            region_name="us-east-1",
        )  # fmt: skip

        def generations_left() -> bool:
            items = raw.list_objects_v2(Bucket=bucket, Prefix=layout.session_prefix("kept"))["Contents"]
            keys = [layout.parse_key(item["Key"]) for item in items]
            present = {key.generation for key in keys if key and key.kind is layout.ObjectKind.PACK}
            return present == {entry.generation for entry in left}

        await eventually(generations_left, timeout=20)
        raw.close()
    finally:
        await bus.drain()
        running.stop()
        own.stop()


@pytest.mark.parametrize("key", ["", "c2hvcnQ=", "not base64!", base64.b64encode(bytes(32)).decode()])
def test_without_a_good_master_key_it_does_not_start_and_says_how_to_make_one(key: str) -> None:
    env = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    ended = subprocess.run(
        [sys.executable, "-m", "backup"],
        env={**env, **bus_environment(), "MASTER_KEY": key},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 2
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "MASTER_KEY" in lines[0]
    assert "openssl rand -base64 32" in lines[0]
    assert not key or key not in lines[0]


async def test_it_stops_in_order_when_it_is_asked_to(tmp_path: Path, nats: NatsServer, s3: S3Server) -> None:
    running = BackupService(tmp_path, nats, s3)
    process = running.start()
    await eventually(lambda: '"serving"' in running.log, timeout=20)
    process.stop()
    assert process._process.returncode == 0
