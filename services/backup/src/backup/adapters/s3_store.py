"""Objects in any S3-compatible storage, through boto3.

Only a proper NoSuchKey means that an object is absent. A 403, a time-out, a 404 without that code (a proxy's page, a
bucket that is gone) is Unavailable. boto3 blocks, so each call runs in one of a few threads and is given up after
`budget` seconds; the thread may run on for a while.

The trap: boto3 repeats a request whose answer was lost, and a repeated conditional write is answered 412 although the
first one succeeded. A caller who gets Taken therefore reads the object before it decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import uuid4

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError

from backup.domain import layout
from backup.domain.listing import ListedObject
from backup.ports import Blob, Taken
from shared.contracts.backups import FailureCode
from shared.contracts.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

log = structlog.get_logger()
R = TypeVar("R")
_THREADS = 8
_BODY_TRIES = 3
_MAX_BYTES = 128 * 1024 * 1024
"""No object of ours is larger. What others put in the place of one is cut here, and then does not verify."""
_CONDITION_FAILED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})


@dataclass(frozen=True)
class S3Options:
    """`connect_timeout`, `read_timeout` and `budget` are in seconds. boto3 makes up to `attempts` for each request; the
    budget covers an operation with all its attempts."""

    endpoint: str
    bucket: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str = "us-east-1"
    addressing_style: str = "path"
    tls_file: str = ""
    """PEM file with the store's certificate, and the certificate and key that are shown to the store."""
    connect_timeout: float = 3.0
    read_timeout: float = 20.0
    attempts: int = 4
    budget: float = 60.0


def _client(options: S3Options) -> S3Client:
    config = Config(
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        retries={"mode": "standard", "total_max_attempts": options.attempts},
        tcp_keepalive=True,
        max_pool_connections=_THREADS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3=cast(Any, {"addressing_style": options.addressing_style}),
        client_cert=options.tls_file or None,
    )
    session = boto3.session.Session(
        aws_access_key_id=options.access_key_id,
        aws_secret_access_key=options.secret_access_key,
        region_name=options.region,
    )
    return session.client("s3", endpoint_url=options.endpoint or None, verify=options.tls_file or None, config=config)


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class S3Store:
    def __init__(self, options: S3Options) -> None:
        self._options = options
        self._bucket = options.bucket
        self._s3 = _client(options)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")
        self._preparing = asyncio.Lock()
        self._prepared = False
        self._conditional = True

    @property
    def conditional(self) -> bool:
        return self._conditional

    async def prepare(self) -> None:
        async with self._preparing:
            if not self._prepared:
                self._conditional = await self._run(self._prepare)
                self._prepared = True

    async def probe(self) -> None:
        await self._ask(partial(self._s3.list_objects_v2, Bucket=self._bucket, Prefix=layout.ROOT, MaxKeys=1))

    async def read(self, key: str, *, start: int = 0, length: int | None = None) -> Blob | None:
        return await self._ask(partial(self._read, key, start, length))

    async def write(self, key: str, data: bytes) -> None:
        await self._ask(partial(self._s3.put_object, Bucket=self._bucket, Key=key, Body=data))

    async def create(self, key: str, data: bytes) -> None:
        if await self._on_condition():
            await self._ask(partial(self._put_if, key, data, IfNoneMatch="*"))
        elif await self.read(key) is not None:
            raise Taken(key)
        else:
            await self.write(key, data)

    async def replace(self, key: str, data: bytes, etag: str) -> None:
        if await self._on_condition():
            await self._ask(partial(self._put_if, key, data, IfMatch=etag))
            return
        present = await self.read(key)
        if present is None or present.etag != etag:
            raise Taken(key)
        await self.write(key, data)

    async def list_objects(self, prefix: str) -> list[ListedObject]:
        return await self._ask(partial(self._list, prefix))

    async def folders(self, prefix: str) -> list[str]:
        return await self._ask(partial(self._folders, prefix))

    async def delete(self, keys: Sequence[str]) -> None:
        # One by one: the order matters, and not every S3 server takes the bulk form.
        for key in keys:
            await self._ask(partial(self._s3.delete_object, Bucket=self._bucket, Key=key))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._s3.close()

    async def _on_condition(self) -> bool:
        """False where the store ignores conditions; a read before the write then narrows a race but cannot close it."""
        await self.prepare()
        return self._conditional

    async def _ask(self, work: Callable[[], R]) -> R:
        if not self._prepared:
            await self.prepare()
        return await self._run(work)

    async def _run(self, work: Callable[[], R]) -> R:
        try:
            async with asyncio.timeout(self._options.budget):
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except TimeoutError:
            raise Unavailable("the store does not answer", code=FailureCode.STORE_TIMEOUT) from None
        except ClientError as error:
            raise _unavailable(error) from None
        except (BotoCoreError, HTTPClientError, HTTPError, OSError) as error:
            raise Unavailable(
                f"the store cannot be reached ({type(error).__name__})", code=FailureCode.STORE_UNREACHABLE
            ) from None

    def _read(self, key: str, start: int, length: int | None) -> Blob | None:
        """Asks again for a body that was cut off: boto3 retries only up to the headers."""
        for left in reversed(range(_BODY_TRIES)):
            try:
                return self._read_once(key, start, length)
            except (BotoCoreError, HTTPError, OSError):
                if not left:
                    raise
        raise AssertionError("unreachable")

    def _read_once(self, key: str, start: int, length: int | None) -> Blob | None:
        ranged: dict[str, Any] = {}
        if start or length is not None:
            ranged["Range"] = f"bytes={start}-" + ("" if length is None else str(start + length - 1))
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key, **ranged)
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                return None
            if code_of(error) == "InvalidRange":
                return Blob(b"", "")
            raise
        with answer["Body"] as body:
            # Without a length, boto3 checks that a body is whole.
            data = body.read(_MAX_BYTES if answer.get("ContentLength", 0) > _MAX_BYTES else None)
        # A server that ignores ranges sends the whole object.
        if ranged and answer["ResponseMetadata"]["HTTPStatusCode"] == 200:
            data = data[start : None if length is None else start + length]
        return Blob(data, answer["ETag"])

    def _put_if(self, key: str, data: bytes, **condition: Any) -> None:
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, **condition)
        except ClientError as error:
            if code_of(error) in _CONDITION_FAILED or (code_of(error) == "NoSuchKey" and "IfMatch" in condition):
                raise Taken(key) from None
            raise

    def _list(self, prefix: str) -> list[ListedObject]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return [
            ListedObject(item["Key"], item["Size"], item["ETag"], item["LastModified"])
            for page in pages
            for item in page.get("Contents", ())
        ]

    def _folders(self, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        names = (item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ()))
        return [name.removeprefix(prefix).strip("/") for name in names]

    def _prepare(self) -> bool:
        try:
            self._s3.list_objects_v2(Bucket=self._bucket, Prefix=layout.ROOT, MaxKeys=1)
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise
            self._create_bucket()
        conditional = self._test_conditions()
        if not conditional:
            log.warning("conditional_writes_ignored", hint="only the lease on NATS keeps two owners apart")
        return conditional

    def _create_bucket(self) -> None:
        try:
            self._s3.create_bucket(Bucket=self._bucket)
        except ClientError as error:
            if code_of(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise
        log.info("bucket_created", bucket=self._bucket)

    def _test_conditions(self) -> bool:
        """True when the store refuses a second create, and a replace of an object with another ETag."""
        key = layout.probe(uuid4().hex)
        try:
            self._put_if(key, b"1", IfNoneMatch="*")
            return self._is_refused(key, IfNoneMatch="*") and self._is_refused(key, IfMatch='"0"')
        except Taken:
            return True
        except ClientError as error:
            if code_of(error) in ("NotImplemented", "InvalidArgument", "501"):
                return False
            raise
        finally:
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _is_refused(self, key: str, **condition: Any) -> bool:
        try:
            self._put_if(key, b"2", **condition)
        except Taken:
            return True
        return False


def _unavailable(error: ClientError) -> Unavailable:
    """The error shows only S3's code; S3's text may hold keys and host names."""
    code = code_of(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    hint = ""
    if status == 403:
        hint = "the store refuses the credentials: check S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY and the bucket's policy"
    elif code == "NoSuchBucket":
        hint = "the bucket is gone: create it again or check S3_BUCKET"
    return Unavailable(f"the store answered {status} {code}", hint=hint, code=FailureCode.STORE_REFUSED)
