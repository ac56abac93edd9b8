"""JetStream's API in plain requests, so that a service needs no permissions beyond the few subjects named here.

The trap: "no such stream" is not "no such key". A bucket that is gone cannot be asked; it is not empty. The numbers are
those of https://github.com/nats-io/nats-server/blob/main/server/errors.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from shared.contracts.errors import Conflict, NotFound, NotRunning, ServiceError, TimedOut, Unavailable

from .transport import Transport

API_SECONDS = 3.0
STREAM_NOT_FOUND = 10059
MESSAGE_NOT_FOUND = 10037
WRONG_LAST_SEQUENCE = frozenset({10071, 10164})

Json = dict[str, Any]


async def call(transport: Transport, subject: str, body: Json, *, timeout: float = API_SECONDS) -> Json:
    """Ask `$JS.API.<subject>`. Raises NotFound (no such message), Unavailable, Refused."""
    data = json.dumps(body).encode() if body else b""
    try:
        answer = await transport.request(f"$JS.API.{subject}", data, timeout=timeout)
    except (NotRunning, TimedOut):
        raise Unavailable("JetStream does not answer") from None
    return read_answer(answer.data)


async def publish(
    transport: Transport, subject: str, data: bytes, headers: Mapping[str, str], *, timeout: float = API_SECONDS
) -> int:
    """Write one message and return its sequence. Raises Conflict, Unavailable (not written), TimedOut (unknown)."""
    try:
        answer = await transport.request(subject, data, headers, timeout=timeout)
    except NotRunning:
        raise Unavailable("no stream takes this subject", hint="run the set-up of the streams") from None
    return int(read_answer(answer.data)["seq"])


def read_answer(data: bytes) -> Json:
    """Raises the error that the answer carries."""
    try:
        answer = json.loads(data)
    except ValueError:
        raise ServiceError("JetStream's answer is no JSON", code="bad_answer") from None
    if "error" in answer:
        raise _error(answer["error"])
    return cast(Json, answer)


def _error(error: Json) -> ServiceError:
    number = error.get("err_code", 0)
    if number in WRONG_LAST_SEQUENCE:
        return Conflict("somebody else changed it")
    if number == MESSAGE_NOT_FOUND:
        return NotFound("no such message")
    if number == STREAM_NOT_FOUND:
        return Unavailable("the stream does not exist", hint="run the set-up of the streams", code="no_stream")
    return Unavailable(str(error.get("description", "JetStream refused")), code=f"jetstream_{number}")
