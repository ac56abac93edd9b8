"""The wrapped data keys: small JSON records that carry a checksum.

The checksum is the SHA-256, in hex, of the same JSON with `checksum` empty. The order of a record's fields is part of
the format. A checksum finds damage and proves nothing about who wrote a record; the encryption of the key does that.
"""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

R = TypeVar("R", bound=msgspec.Struct)


class DamagedRecord(Exception):
    """Stored bytes are not what was written. The text names the kind of object, never its contents."""


def encode_record(record: msgspec.Struct) -> bytes:
    """JSON with the right checksum, whatever `record.checksum` holds."""
    bare = msgspec.json.encode(msgspec.structs.replace(record, checksum=""))
    return msgspec.json.encode(msgspec.structs.replace(record, checksum=hashlib.sha256(bare).hexdigest()))


def decode_record(data: bytes, kind: type[R], what: str) -> R:
    """`what` names the object in the error. Raises DamagedRecord."""
    try:
        record = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise DamagedRecord(f"{what} is damaged") from error
    if msgspec.json.encode(record) != encode_record(record):
        raise DamagedRecord(f"{what} is damaged")
    return record
