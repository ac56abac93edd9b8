"""How messages are written: JSON with a `type` tag, instants with a zone, strict types; signed, some encrypted.

Every message names its sender and carries the sender's Ed25519 signature over the subject that it is for. The place
where a message is found proves nothing: JetStream delivers stored bytes wherever whoever may read a stream wants.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, TypeVar

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.signing import SigningKey, VerifyKey

T = TypeVar("T")

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time that always carries its zone."""
SIGNATURE = "Wa-Signature"
"""`<user> <base64 of the signature>`."""
SIGNED_HEADERS = ("Command-Id", "Deadline", "Correlation-Id", "Wa-Error", "KV-Operation")
"""Every header that a receiver acts on."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of everything that travels; each subclass sets `tag="wa.<area>.v<major>.<what>"`."""

    private: ClassVar[bool] = False
    """Only the process that owns the session may read it: all workers are one user of NATS, so it is encrypted."""


class BadMessage(ValueError):
    """The bytes are not the expected message. The text names the field, never its value."""


class Unverified(BadMessage):
    """Nothing proves that the bytes come from whom they should: what they are about is unknown, not absent."""


class NotForUs(BadMessage):
    """The bytes were not encrypted for this process."""


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


def inbox_of(user: str) -> str:
    """The prefix of every inbox of a user: nobody else may subscribe there."""
    return f"_INBOX.{user}"


class Identity:
    """Who a process is on the bus, and the public keys of everybody there. `seed` and `keys` are raw Ed25519 keys."""

    def __init__(self, user: str, seed: bytes, keys: Mapping[str, bytes]) -> None:
        self.user = user
        self._signing_key = SigningKey(seed)
        self._keys = {name: VerifyKey(key) for name, key in keys.items()}
        self._opening_key = PrivateKey.generate()

    @property
    def command_key(self) -> str:
        """What is encrypted for this key can be read by this process alone."""
        return base64.b64encode(bytes(self._opening_key.public_key)).decode()

    def signer_for(self, _subject: str) -> str:
        """The user who signs here."""
        return self.user

    def sign(self, subject: str, headers: Mapping[str, str], data: bytes) -> str:
        """The value of the header SIGNATURE."""
        user = self.signer_for(subject)
        signature = self._signing_key.sign(_signed_text(user, subject, headers, data)).signature
        return f"{user} {base64.b64encode(signature).decode()}"

    def verified_sender(self, subject: str, headers: Mapping[str, str], data: bytes) -> str:
        """The user who has signed. Raises Unverified."""
        user, _, signature = headers.get(SIGNATURE, "").partition(" ")
        key = self._keys.get(user)
        if key is None:
            raise Unverified("signed by nobody who is known here")
        try:
            key.verify(_signed_text(user, subject, headers, data), base64.b64decode(signature, validate=True))
        except (CryptoError, ValueError):
            raise Unverified(f"not signed by {user} for this subject") from None
        return user

    def may_answer_to(self, user: str, reply: str) -> bool:
        """Whether `reply` is an inbox of the user who asks."""
        return reply.startswith(f"{inbox_of(user)}.")

    def encrypt(self, data: bytes, key: str) -> bytes:
        """Encrypt for the process with this `command_key`. Raises ValueError when the key is none."""
        try:
            return SealedBox(PublicKey(base64.b64decode(key, validate=True))).encrypt(data)
        except (CryptoError, ValueError):
            raise ValueError("not a command key") from None

    def decrypt(self, data: bytes) -> bytes:
        """Raises NotForUs."""
        try:
            return SealedBox(self._opening_key).decrypt(data)
        except (CryptoError, ValueError):
            raise NotForUs("not encrypted for this process") from None


def _signed_text(user: str, subject: str, headers: Mapping[str, str], data: bytes) -> bytes:
    covered = [headers.get(name, "") for name in SIGNED_HEADERS]
    return json.dumps(["wa1", user, subject, *covered, hashlib.sha256(data).hexdigest()]).encode()
