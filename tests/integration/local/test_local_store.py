"""The local object store with its doors shut: what an earlier version wrote is there, and a kill loses nothing."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from persistent_session.services.description import HttpAnswer
from persistent_session.services.table import S3_SERVICE
from persistent_session.stack import ports, seaweed, temp_folder
from persistent_session.stack.certificate import new_certificate
from shared.testing import eventually_sync
from shared.testing.process import Process, program

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ACCESS, SECRET = "some-access-key", "some-secret-key"
BUCKET = "persistent-session"
OPEN_FLAGS = (
    "s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
    "filer.port.grpc", "admin.port",
)  # fmt: skip
BIG = 9_000_000
"""More than two chunks of the filer."""
NOT_STARTED = {"grpc.msg_broker", "grpc.msg_agent", "grpc.mq"}
"""Message queues, which `weed mini` has not."""


class Ground:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "s3"
        self.data.mkdir()
        self.tls = folder / "s3-tls"
        self.tls.write_text(new_certificate())
        with ports.Reservations() as reservations:
            self.ports = ports.choose([port.name for port in S3_SERVICE.ports], {}, reservations)

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}

    @contextmanager
    def of_an_earlier_version(self) -> Iterator[S3Client]:
        """As the first version started it: open, the bucket made by SeaweedFS."""
        flags = {name: self.ports[port.name] for name, port in zip(OPEN_FLAGS, S3_SERVICE.ports, strict=True)}
        flags |= {"admin.port.grpc": self.ports["s3-admin"] + ports.DERIVED, "s3.port.iceberg": 0, "s3.port.lance": 0}
        command = [program("weed"), "-logtostderr=true", "mini", f"-dir={self.data}", "-ip=127.0.0.1",
                   "-ip.bind=127.0.0.1", "-admin.ui=false", "-webdav=false", "-master.telemetry=false",
                   *(f"-{name}={port}" for name, port in flags.items())]  # fmt: skip
        with self._running(command, {"S3_BUCKET": BUCKET}, 403):
            client = self.client(f"http://127.0.0.1:{self.ports['s3']}")
            eventually_sync(lambda: has_bucket(client), timeout=60)
            yield client

    @contextmanager
    def of_this_version(self) -> Iterator[S3Client]:
        command = [program("weed"), *S3_SERVICE.command[1:], *seaweed.arguments(self.data, self.ports, self.tls)]
        sign = S3_SERVICE.health.sign
        assert isinstance(sign, HttpAnswer)
        with self._running(command, seaweed.environment(self.tls), sign.status):
            yield self.client(f"https://127.0.0.1:{self.ports['s3']}")

    @contextmanager
    def _running(self, command: list[str], environment: dict[str, str], status: int) -> Iterator[None]:
        """Ends as a power cut ends it."""
        here = self.folder / "work"
        here.mkdir(exist_ok=True)
        log = self.folder / "weed.log"
        process = Process(command, log_file=log, env=self.environment | environment, folder=here)
        try:
            eventually_sync(lambda: self._status() == status, timeout=60, message=f"no {status}; see {log}")
            yield
        finally:
            process.kill()
            temp_folder.remove_dead_sockets(seaweed.sockets(self.ports))

    def _status(self) -> int:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports['s3']}/", timeout=2, trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def client(self, url: str) -> S3Client:
        file = str(self.tls)
        return boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=ACCESS, aws_secret_access_key=SECRET,
            verify=file if url.startswith("https") else None,
            config=Config(client_cert=file, s3={"addressing_style": "path"}),
        )  # fmt: skip


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("store"))


def has_bucket(client: S3Client) -> bool:
    try:
        client.head_bucket(Bucket=BUCKET)
    except (ClientError, BotoCoreError):
        return False
    return True


def written(client: S3Client) -> bool:
    try:
        client.put_object(Bucket=BUCKET, Key="a/big", Body=b"x" * BIG)
    except (ClientError, BotoCoreError):
        return False
    return True


def test_what_an_open_store_of_an_earlier_version_holds_is_read_and_lost_by_no_kill(ground: Ground) -> None:
    with ground.of_an_earlier_version() as client:
        eventually_sync(lambda: written(client), timeout=60, message="the open store took no object")
        client.put_object(Bucket=BUCKET, Key="a/small", Body=b'{"epoch": 7}')
    for _ in range(2):
        with ground.of_this_version() as client:
            assert read(client, "a/small") == b'{"epoch": 7}'
            assert read(client, "a/big") == b"x" * BIG
            eventually_sync(lambda: written(client), timeout=60, message="the closed store took no object")
    assert [path for path in seaweed.sockets(ground.ports) if path.exists()] == []


def test_conditions_and_ranges_are_kept_behind_the_certificate(ground: Ground) -> None:
    with ground.of_this_version() as client:
        made = client.put_object(Bucket=BUCKET, Key="conditional", Body=b"0123456789", IfNoneMatch="*")
        with pytest.raises(ClientError, match="PreconditionFailed"):
            client.put_object(Bucket=BUCKET, Key="conditional", Body=b"x", IfNoneMatch="*")
        client.put_object(Bucket=BUCKET, Key="conditional", Body=b"9876543210", IfMatch=made["ETag"])
        with pytest.raises(ClientError, match="PreconditionFailed"):
            client.put_object(Bucket=BUCKET, Key="conditional", Body=b"x", IfMatch=made["ETag"])
        assert client.get_object(Bucket=BUCKET, Key="conditional", Range="bytes=2-4")["Body"].read() == b"765"


def test_every_part_that_can_speak_tls_is_told_to() -> None:
    """A part that is not named falls back to none, so a part that an update adds must be found here."""
    scaffold = subprocess.run(
        [program("weed"), "scaffold", "-config=security"], capture_output=True, text=True, check=True
    )
    parts = set(re.findall(r"^\[((?:grpc|https)\.\w+)\]", scaffold.stdout, flags=re.M)) - NOT_STARTED
    assert {"grpc.filer", "https.filer"} <= parts
    told = seaweed.environment(Path("/tls"))
    names = {f"WEED_{part.upper().replace('.', '_')}_{what}" for part in parts for what in ("CERT", "KEY")}
    assert names - set(told) == set()


def read(client: S3Client, key: str) -> bytes:
    return client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
