"""The headers of a request and what an answer means. Pure, apart from making ids."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

import structlog

from shared.clock import Clock
from shared.contracts.errors import ErrorReply, Invalid, ServiceError, from_reply
from shared.contracts.message import BadMessage, Message, decode

from .transport import Incoming

DEADLINE = "Deadline"
"""ISO instant with a zone. Machines whose clocks differ by seconds drop good requests."""
COMMAND_ID = "Command-Id"
CORRELATION_ID = "Correlation-Id"
ERROR = "Wa-Error"

R = TypeVar("R", bound=Message)


def request_headers(clock: Clock, timeout: float, command_id: str | None) -> dict[str, str]:
    """`timeout` in seconds from now becomes the deadline."""
    return {
        DEADLINE: (clock.now() + timedelta(seconds=timeout)).isoformat(),
        COMMAND_ID: command_id or uuid4().hex,
        CORRELATION_ID: correlation_id(),
    }


def correlation_id() -> str:
    """The correlation id of the request that this task works on, or a new one."""
    bound = structlog.contextvars.get_contextvars().get("correlation_id")
    return str(bound) if bound else uuid4().hex[:16]


def read_deadline(headers: Mapping[str, str]) -> datetime | None:
    """Raises Invalid."""
    text = headers.get(DEADLINE)
    if not text:
        return None
    try:
        deadline = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("the Deadline header is no instant") from None
    if deadline.tzinfo is None:
        raise Invalid("the Deadline header has no zone")
    return deadline


def read_bytes(answer: Incoming) -> bytes:
    """Raises the error that the answer carries."""
    if ERROR in answer.headers:
        raise from_reply(_read(answer.data, ErrorReply))
    return answer.data


def read_message(answer: Incoming, kind: type[R]) -> R:
    """Raises the error that the answer carries."""
    return _read(read_bytes(answer), kind)


def _read(data: bytes, kind: type[R]) -> R:
    try:
        return decode(data, kind)
    except BadMessage:
        raise ServiceError(f"the answer is not a {kind.__name__}", code="bad_answer") from None
