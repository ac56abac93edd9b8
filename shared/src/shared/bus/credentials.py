"""nkeys: the seed is the user's secret; the server's configuration and every receiver know the public key.

The key that proves a user to NATS also signs the user's messages (`shared.contracts.message.Identity`).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

import nkeys

from shared.contracts.message import Identity

KEY_BYTES = 32
PUBLIC_KEY_BYTES = 1 + KEY_BYTES + 2
"""A prefix, the key, a checksum."""


def new_seed() -> str:
    """A new user's secret seed."""
    return bytes(nkeys.encode_seed(os.urandom(KEY_BYTES), nkeys.PREFIX_BYTE_USER)).decode()


def public_key(seed: str) -> str:
    """Raises ValueError when `seed` is no seed; the text of the error does not repeat it."""
    try:
        pair = nkeys.from_seed(bytearray(seed.strip().encode()))
        return bytes(pair.public_key).decode()
    except Exception:
        raise ValueError("not an nkey seed") from None


def identity(user: str, seed: str, public_keys: Mapping[str, str]) -> Identity:
    """From nkeys as text. Raises ValueError; the text of the error repeats no key."""
    return Identity(user, raw_seed(seed), raw_public_keys(public_keys))


def raw_seed(seed: str) -> bytes:
    """Raises ValueError when `seed` is no seed."""
    public_key(seed)
    _, raw = nkeys.decode_seed(bytearray(seed.strip().encode()))
    return bytes(raw)


def raw_public_keys(public_keys: Mapping[str, str]) -> dict[str, bytes]:
    """By user. Raises ValueError."""
    return {user: _raw_public_key(user, text) for user, text in public_keys.items()}


def check_public_key(user: str, key: str) -> str:
    """`key`, when it is a public nkey. Raises ValueError."""
    _raw_public_key(user, key)
    return key


def _raw_public_key(user: str, text: str) -> bytes:
    try:
        raw = base64.b32decode(text.strip() + "=" * (-len(text.strip()) % 8))
    except ValueError:
        raw = b""
    body, checksum = raw[:-2], raw[-2:]
    if len(raw) != PUBLIC_KEY_BYTES or bytes(nkeys.crc16_checksum(bytearray(body))) != checksum:
        raise ValueError(f"the key of {user} is no public nkey")
    return body[1:]
