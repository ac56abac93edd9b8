"""Encryption of chunks, manifests and data keys: AES-256-GCM, with zstd before it.

A data key belongs to one session; a master key only wraps data keys. Everything that tells two ciphertexts apart
(session, key, chunk or backup) is bound in as associated data, so an object that was moved to another place does not
decrypt there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backup.domain.control_records import SigningKeys
from backup.domain.manifests import WrappedKey
from backup.domain.records import DamagedRecord
from backup.ports import DataKey
from shared.contracts.snapshots import CHUNK_BYTES, digest

NONCE_BYTES = 12
_TAG_BYTES = 16
_WORTHWHILE = 0.97
"""A chunk is stored compressed when compression leaves at most this share."""
_MAX_BODY_BYTES = 256 * 1024 * 1024
_threads = threading.local()


class ForeignMasterKey(Exception):
    """A data key is wrapped by a master key that this service does not have."""


def _derive(master: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=b"persistent-session/" + purpose).derive(master)


def _bind(*parts: str) -> bytes:
    return "\0".join(parts).encode()


def _encrypt(secret: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(secret).encrypt(nonce, plain, bound)


def _decrypt(secret: bytes, record: bytes, bound: bytes, what: str) -> bytes:
    if len(record) < NONCE_BYTES + _TAG_BYTES:
        raise DamagedRecord(f"{what} is damaged")
    try:
        return AESGCM(secret).decrypt(record[:NONCE_BYTES], record[NONCE_BYTES:], bound)
    except InvalidTag:
        raise DamagedRecord(f"{what} is damaged") from None


class MasterKeys:
    """The master key, and its predecessors while keys are changed over. New data keys are wrapped and control records
    signed by the first."""

    def __init__(self, master: bytes, previous: Sequence[bytes] = ()) -> None:
        named = {_derive(key, b"master-name", 8).hex(): key for key in reversed((master, *previous))}
        self._wrapping = {name: _derive(key, b"wrap", 32) for name, key in named.items()}
        self.name = _derive(master, b"master-name", 8).hex()
        self.signing = SigningKeys(self.name, {name: _derive(key, b"sign", 32) for name, key in named.items()})

    @property
    def changing(self) -> bool:
        """Whether a previous master key is still accepted."""
        return len(self._wrapping) > 1

    def new_key(self, name: str) -> DataKey:
        return DataKey(name, AESGCM.generate_key(256))

    def wrap(self, session: str, key: DataKey) -> WrappedKey:
        bound = _bind("key", session, key.name)
        return WrappedKey(
            key=key.name,
            master=self.name,
            wrapped=_encrypt(self._wrapping[self.name], key.secret, bound),
        )

    def unwrap(self, session: str, wrapped: WrappedKey) -> DataKey:
        """Raises DamagedRecord, ForeignMasterKey."""
        wrapping = self._wrapping.get(wrapped.master)
        if wrapping is None:
            raise ForeignMasterKey(wrapped.master)
        bound = _bind("key", session, wrapped.key)
        return DataKey(wrapped.key, _decrypt(wrapping, wrapped.wrapped, bound, "a data key"))


def encrypt_chunk(key: DataKey, session: str, sha256: str, chunk: bytes) -> tuple[bytes, bool]:
    """The record, and whether it is compressed."""
    smaller = _compressor().compress(chunk)
    compressed = len(smaller) < _WORTHWHILE * len(chunk)
    return _encrypt(key.secret, smaller if compressed else chunk, _chunk_bound(key, session, sha256)), compressed


def decrypt_chunk(key: DataKey, session: str, sha256: str, record: bytes, *, compressed: bool) -> bytes:
    """The chunk, its hash verified. Raises DamagedRecord."""
    plain = _decrypt(key.secret, record, _chunk_bound(key, session, sha256), "a chunk")
    chunk = decompress(plain, CHUNK_BYTES) if compressed else plain
    if digest(chunk) != sha256:
        raise DamagedRecord("a chunk is damaged")
    return chunk


def _chunk_bound(key: DataKey, session: str, sha256: str) -> bytes:
    return _bind("chunk", session, key.name, sha256)


def encrypt_body(key: DataKey, session: str, generation: str, backup: str, body: bytes) -> bytes:
    """A manifest's body, compressed and bound to its place."""
    return _encrypt(key.secret, _compressor().compress(body), _bind("manifest", session, generation, backup, key.name))


def decrypt_body(key: DataKey, session: str, generation: str, backup: str, ciphertext: bytes) -> bytes:
    """Raises DamagedRecord."""
    bound = _bind("manifest", session, generation, backup, key.name)
    return decompress(_decrypt(key.secret, ciphertext, bound, "a manifest"), _MAX_BODY_BYTES)


def decompress(data: bytes, limit: int) -> bytes:
    """One zstd frame of at most `limit` bytes. Raises DamagedRecord."""
    reader = zstandard.ZstdDecompressor().stream_reader(data)
    try:
        plain = reader.read(limit + 1)
    except zstandard.ZstdError:
        raise DamagedRecord("compressed bytes are damaged") from None
    if len(plain) > limit:
        raise DamagedRecord("compressed bytes grow beyond their limit")
    return plain


def _compressor() -> zstandard.ZstdCompressor:
    """One for each thread: threads cannot share a compressor."""
    if not hasattr(_threads, "compressor"):
        _threads.compressor = zstandard.ZstdCompressor(level=3, write_content_size=True)
    compressor: zstandard.ZstdCompressor = _threads.compressor
    return compressor
