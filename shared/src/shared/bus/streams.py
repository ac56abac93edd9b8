"""The buckets and the stream that must exist before a service works. The set-up user makes them, idempotently.

The bucket of the statuses lies in a file although its content can be made again: at a restart NATS forgets a bucket in
memory together with its name, and no service may make a bucket.
"""

from __future__ import annotations

from typing import Any

from shared.contracts.errors import Unavailable
from shared.contracts.subjects import (
    EVENTS,
    EVENTS_STREAM,
    LEASES_BUCKET,
    LOGINS_BUCKET,
    SESSIONS_BUCKET,
    STATUS_BUCKET,
    key_of_bucket,
)

from . import jetstream
from .buckets import stream_of
from .transport import Transport

DAY_SECONDS = 24 * 3600
EVENTS_DAYS = 30
EVENTS_BYTES = 256 * 1024 * 1024
BUCKET_BYTES = 64 * 1024 * 1024
BUCKETS = (SESSIONS_BUCKET, STATUS_BUCKET, LEASES_BUCKET, LOGINS_BUCKET)
BUCKET_DAYS = {LOGINS_BUCKET: 31}
"""How long a bucket keeps what nobody writes again; the others keep it for good. Longer than any login lasts, so that
only what has ended goes, and the marks of what was deleted."""


def stream_configs() -> list[dict[str, Any]]:
    """The streams that must exist, as JetStream's API writes them."""
    return [*(_bucket(name) for name in BUCKETS), _events()]


def _bucket(name: str) -> dict[str, Any]:
    return {
        "name": stream_of(name),
        "subjects": [key_of_bucket(name, ">")],
        "max_msgs_per_subject": 1,
        "max_bytes": BUCKET_BYTES,
        "max_age": BUCKET_DAYS.get(name, 0) * DAY_SECONDS * 10**9,
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "num_replicas": 1,
    }


def _events() -> dict[str, Any]:
    return {
        "name": EVENTS_STREAM,
        "subjects": [EVENTS],
        "max_age": EVENTS_DAYS * DAY_SECONDS * 10**9,
        "max_bytes": EVENTS_BYTES,
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "num_replicas": 1,
    }


async def make_streams(transport: Transport) -> None:
    for config in stream_configs():
        await _make(transport, config)


async def _make(transport: Transport, config: dict[str, Any]) -> None:
    try:
        await jetstream.call(transport, f"STREAM.INFO.{config['name']}", {})
    except Unavailable as error:
        if error.code != "no_stream":
            raise
        await jetstream.call(transport, f"STREAM.CREATE.{config['name']}", config, timeout=10.0)
        return
    try:
        await jetstream.call(transport, f"STREAM.UPDATE.{config['name']}", config, timeout=10.0)
    except Unavailable as error:
        if not error.code.startswith("jetstream_"):
            raise
        raise Unavailable(
            f"the stream {config['name']} exists with settings that cannot be changed", code=error.code
        ) from None
