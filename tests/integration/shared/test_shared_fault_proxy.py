"""The fault proxy in front of a real S3 server, and the server itself."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.testing import FaultProxy, S3Server, eventually_sync

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY = b"x" * 300_000


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(s3.endpoint) as proxy:
        yield proxy


def client(s3: S3Server, url: str) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=s3.region,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        config=Config(
            connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"},
            request_checksum_calculation="when_required", response_checksum_validation="when_required",
        ),
    )  # fmt: skip


def test_objects_pass_through_the_proxy(s3: S3Server, proxy: FaultProxy) -> None:
    through = client(s3, proxy.url)
    through.put_object(Bucket=s3.bucket, Key="proxy/pass", Body=BODY)
    assert through.get_object(Bucket=s3.bucket, Key="proxy/pass")["Body"].read() == BODY


def test_403_is_what_a_client_sees_as_access_denied(s3: S3Server, proxy: FaultProxy) -> None:
    through = client(s3, proxy.url)
    through.put_object(Bucket=s3.bucket, Key="proxy/403", Body=BODY)
    proxy.mode = "403"
    for attempt in (
        lambda: through.get_object(Bucket=s3.bucket, Key="proxy/403"),
        lambda: through.put_object(Bucket=s3.bucket, Key="proxy/403", Body=BODY),
    ):
        with pytest.raises(ClientError) as caught:
            attempt()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert caught.value.response["Error"]["Code"] == "AccessDenied"
    with pytest.raises(ClientError):
        through.head_object(Bucket=s3.bucket, Key="proxy/403")
    proxy.mode = "pass"
    assert through.get_object(Bucket=s3.bucket, Key="proxy/403")["Body"].read() == BODY


@pytest.mark.parametrize("chunked", [False, True])
def test_403_is_answered_only_when_the_whole_body_was_read(s3: S3Server, chunked: bool) -> None:
    chunks = [b"x" * 50_000] * 40
    with FaultProxy(s3.endpoint, mode="403") as proxy:
        for _ in range(20):
            connection = HTTPConnection(proxy.url.removeprefix("http://"), timeout=10)
            connection.request("PUT", "/bucket/key", iter(chunks) if chunked else b"".join(chunks))
            answer = connection.getresponse()
            assert answer.status == 403
            assert b"AccessDenied" in answer.read()
            connection.close()


def test_a_kept_connection_has_ended_when_the_mode_is_set(s3: S3Server, proxy: FaultProxy) -> None:
    through = client(s3, proxy.url)
    through.put_object(Bucket=s3.bucket, Key="proxy/kept", Body=b"x")
    for _ in range(30):
        proxy.mode = "403"
        with pytest.raises(ClientError):
            through.get_object(Bucket=s3.bucket, Key="proxy/kept")
        proxy.mode = "pass"
        through.get_object(Bucket=s3.bucket, Key="proxy/kept")["Body"].read()


@pytest.mark.parametrize("mode", ["refuse", "hang", "cut"])
def test_a_broken_network_is_an_error_and_mends(s3: S3Server, proxy: FaultProxy, mode: str) -> None:
    through = client(s3, proxy.url)
    through.put_object(Bucket=s3.bucket, Key="proxy/broken", Body=BODY)
    proxy.mode = mode
    with pytest.raises((BotoCoreError, ClientError)):
        through.get_object(Bucket=s3.bucket, Key="proxy/broken")["Body"].read()
    proxy.mode = "pass"
    assert through.get_object(Bucket=s3.bucket, Key="proxy/broken")["Body"].read() == BODY


def test_an_unknown_mode_is_refused(proxy: FaultProxy) -> None:
    with pytest.raises(ValueError, match="pass, refuse, hang, cut, 403"):
        proxy.mode = "sometimes"


def test_the_s3_server_keeps_its_objects_over_a_kill(tmp_path: Path) -> None:
    server = S3Server()
    try:
        server.start(tmp_path / "s3")
        direct = client(server, server.endpoint)
        direct.put_object(Bucket=server.bucket, Key="kept", Body=b"kept")
        server.kill()
        with pytest.raises(BotoCoreError):
            direct.get_object(Bucket=server.bucket, Key="kept")
        server.restart()

        def read() -> bytes:
            try:
                return direct.get_object(Bucket=server.bucket, Key="kept")["Body"].read()
            except (BotoCoreError, ClientError):
                return b""

        assert eventually_sync(read, timeout=30.0) == b"kept"
    finally:
        server.kill()
