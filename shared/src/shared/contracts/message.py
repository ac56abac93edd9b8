"""How messages are written: JSON with a `type` tag, instants with a zone, strict types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

T = TypeVar("T")

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time that always carries its zone."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of everything that travels; each subclass sets `tag="wa.<area>.v<major>.<what>"`."""


class BadMessage(ValueError):
    """The bytes are not the expected message. The text names the field, never its value."""


def encode(message: msgspec.Struct) -> bytes:
    return msgspec.json.encode(message)


def decode(data: bytes, kind: type[T]) -> T:
    """Read `data` as `kind`. Raises BadMessage."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise BadMessage(f"not a {kind.__name__}: {error}") from error


def tag_of(kind: type[msgspec.Struct]) -> str:
    """The `type` tag of a message class."""
    return str(kind.__struct_config__.tag)
