"""The rate at which a snapshot goes to S3 and comes back, beside boto3 moving the same bytes plainly in the same run.

`python tests/bench/backup_throughput.py [megabytes]` starts a real nats-server, a real S3 server and the service as a
process, all on this machine. Half of the bytes are random and half compress well, as in a profile. Rates count the
bytes of the snapshot, in units of 10⁶ bytes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import psutil
import zstandard

sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "backup" / "support"))
from backup_support import BackupService, Client, Owner, connect, serving
from goals import RESTORE, STORE, Outcome, conclude, ratio

from shared.clock import SystemClock
from shared.contracts.message import decode
from shared.contracts.snapshots import SnapshotManifest, digest
from shared.testing import NatsServer, S3Server

REQUESTS = 4
PART_BYTES = 8 * 1024 * 1024
CLOCK = SystemClock()


def make_tree(megabytes: int) -> dict[str, bytes]:
    size = 4 * 1024 * 1024
    words = [os.urandom(8).hex().encode() for _ in range(4000)]
    tree = {}
    for number in range(megabytes // 4):
        text = b" ".join(words[(i * 7 + number * 13) % 4000] + str(i).encode() for i in range(size // 20))
        tree[f"f{number}"] = os.urandom(size) if number % 2 else text[:size]
    return tree


async def restore(client: Client, backup: str) -> dict[str, bytes]:
    packed = b""
    while part := await client.part(backup, len(packed)):
        packed += part
    manifest = decode(zstandard.ZstdDecompressor().stream_reader(packed).read(), SnapshotManifest)
    slots = asyncio.Semaphore(REQUESTS)

    async def chunk(name: str) -> bytes:
        async with slots:
            data = await client.chunk(backup, name)
        if digest(data) != name:
            raise RuntimeError("a wrong chunk")
        return data

    names = [name for file in manifest.files for name in file.chunks]
    chunks = dict(zip(names, await asyncio.gather(*(chunk(name) for name in names)), strict=True))
    return {file.path: b"".join(chunks[name] for name in file.chunks) for file in manifest.files}


def plain_copy(s3: S3Server, data: bytes) -> tuple[Callable[[], None], Callable[[], None]]:
    raw: Any = boto3.client(
        "s3", endpoint_url=s3.endpoint, aws_access_key_id=s3.access_key, aws_secret_access_key=s3.secret_key,
        region_name="us-east-1",
    )  # fmt: skip
    parts = {f"plain/{start}": data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)}

    def upload() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda key: raw.put_object(Bucket=s3.bucket, Key=key, Body=parts[key]), parts))

    def download() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda key: raw.get_object(Bucket=s3.bucket, Key=key)["Body"].read(), parts))

    return upload, download


async def main(megabytes: int) -> int:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        nats, s3 = NatsServer().start(folder / "nats"), S3Server().start(folder / "s3")
        service = BackupService(folder / "backup", nats, s3)
        service.start()
        bus = await connect(nats)
        try:
            return conclude(judge(*await measure(megabytes, Client(bus, "bench", Owner(CLOCK)), s3, service)))
        finally:
            await bus.drain()
            service.stop()
            s3.stop()
            nats.stop()


def judge(upload: float, store: float, download: float, restore: float) -> list[Outcome]:
    """Rates in MB a second: plain upload, store, plain download, restore."""
    return [
        STORE.judge(ratio(store, upload), beside=f"{store:.0f} and {upload:.0f} MB/s"),
        RESTORE.judge(ratio(restore, download), beside=f"{restore:.0f} and {download:.0f} MB/s"),
    ]


async def measure(
    megabytes: int, client: Client, s3: S3Server, service: BackupService
) -> tuple[float, float, float, float]:
    tree = make_tree(megabytes)
    size = sum(map(len, tree.values())) / 1e6
    await client.owner.serve(client.bus, client.session)
    await serving(client)
    await client.claim()
    await client.back_up({"warm": b"up"})

    def rate(name: str, seconds: float) -> float:
        print(f"{name:<34}{size / seconds:8.1f} MB/s  {seconds:6.2f} s", flush=True)
        return size / seconds

    async def timed(work: Any) -> tuple[float, Any]:
        started = CLOCK.monotonic()
        result = await work
        return CLOCK.monotonic() - started, result

    upload, download = plain_copy(s3, b"".join(tree.values()))
    up = rate("boto3, plain upload", (await timed(asyncio.to_thread(upload)))[0])
    seconds, stored = await timed(client.back_up(tree))
    store = rate("store (encrypted, read back)", seconds)
    down = rate("boto3, plain download", (await timed(asyncio.to_thread(download)))[0])
    seconds, restored = await timed(restore(client, stored.backup))
    back = rate("restore (decrypted, verified)", seconds)
    if restored != tree:
        raise RuntimeError("the restored tree differs")
    tree["f0"] = tree["f0"][:-1] + b"!"
    seconds, second = await timed(client.back_up(tree))
    print(f"{'store after one changed byte':<34}{seconds:8.2f} s, {second.new_chunks} new chunk(s)")
    seconds, _ = await timed(client.backups())
    print(f"{'list':<34}{seconds * 1000:8.1f} ms")
    memory = psutil.Process(service.process.pid).memory_info().rss / 1e6 if service.process else 0.0
    print(f"stored {stored.stored_bytes / 1e6:.0f} of {size:.0f} MB; the service's memory now {memory:.0f} MB")
    return up, store, down, back


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)))
