"""nkeys: the seed is the user's secret; the server's configuration names the public key."""

from __future__ import annotations

import os

import nkeys


def new_seed() -> str:
    """A new user's secret seed."""
    return bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)).decode()


def public_key(seed: str) -> str:
    """Raises ValueError when `seed` is no seed; the text of the error does not repeat it."""
    try:
        pair = nkeys.from_seed(bytearray(seed.strip().encode()))
        return bytes(pair.public_key).decode()
    except Exception:
        raise ValueError("not an nkey seed") from None
