"""The manifests of a repository: read, decrypted, written, remembered.

Manifests are immutable, so two caches remember them by key and ETag: a small summary of every manifest, and the last
few whole ones. An object that changed has another ETag and is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from cachetools import LRUCache

from backup.domain import layout
from backup.domain.entries import Summary
from backup.domain.listing import BackupRef
from backup.domain.manifests import FORMAT, StoredManifest, WrappedKey, decode_key, encode_key, frame, unframe
from backup.domain.records import DamagedRecord
from backup.ports import DataKey, ObjectStore
from shared.contracts.errors import NotFound

from .encryption import decrypt_body, encrypt_body
from .keyring import Keyring

_SUMMARIES = 20_000
_WHOLE = 96
_MAX_BYTES = 96 * 1024 * 1024
"""No manifest is larger: the manifest of a snapshot has at most 32 MB. A larger object is not even read."""


class RepositoryManifests:
    def __init__(self, store: ObjectStore, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring
        self._summaries: LRUCache[tuple[str, str], Summary] = LRUCache(_SUMMARIES)
        self._whole: LRUCache[tuple[str, str], StoredManifest] = LRUCache(_WHOLE)
        self._copies: LRUCache[tuple[str, str], WrappedKey] = LRUCache(_SUMMARIES)
        """The wrapped keys in the manifests' headers."""

    async def summary(self, session: str, ref: BackupRef) -> Summary:
        """Raises DamagedRecord, ForeignMasterKey, NotFound."""
        known = self._summaries.get(_version(ref))
        return known if known is not None else _summarise(*await self._read(session, ref))

    async def full(self, session: str, ref: BackupRef) -> StoredManifest:
        """Raises DamagedRecord, ForeignMasterKey, NotFound."""
        known = self._whole.get(_version(ref))
        return known if known is not None else (await self._read(session, ref))[0]

    async def read_back(self, session: str, ref: BackupRef) -> StoredManifest:
        """The manifest from the store, past the caches. Raises DamagedRecord, ForeignMasterKey, NotFound."""
        return (await self._read(session, ref))[0]

    async def key(self, session: str, ref: BackupRef) -> DataKey:
        """The key that decrypts the chunks of this backup."""
        summary = await self.summary(session, ref)
        return await self._keyring.find(session, summary.key, self._copies.get(_version(ref)))

    async def key_copies(self, refs: Iterable[BackupRef]) -> dict[str, WrappedKey]:
        """The wrapped keys that these manifests carry, by name."""
        copies = (self._copies.get(_version(ref)) for ref in refs)
        return {copy.key: copy for copy in copies if copy is not None}

    async def write(self, key: DataKey, manifest: StoredManifest) -> None:
        """Raises Taken when the backup exists."""
        wrapped = self._keyring.wrap(manifest.session, key)
        data = await asyncio.to_thread(_encode, key, wrapped, manifest)
        await self._store.create(layout.manifest(manifest.session, manifest.generation, manifest.backup), data)

    async def _read(self, session: str, ref: BackupRef) -> tuple[StoredManifest, DataKey]:
        if ref.manifest.bytes > _MAX_BYTES:
            raise DamagedRecord("a manifest is larger than a manifest can be")
        blob = await self._store.read(ref.manifest.key)
        if blob is None:
            raise NotFound("no such backup")
        header, body = unframe(blob.data)
        key, copy = await self._key(session, header)
        manifest = await asyncio.to_thread(_decode, key, session, ref, body)
        self._whole[_version(ref)] = manifest
        self._summaries[_version(ref)] = _summarise(manifest, key)
        if copy is not None:
            self._copies[_version(ref)] = copy
        return manifest, key

    async def _key(self, session: str, header: bytes) -> tuple[DataKey, WrappedKey | None]:
        """The key that the header names, and the copy in the header unless that is damaged."""
        try:
            copy = decode_key(header)
        except DamagedRecord:
            return await self._keyring.find(session, _key_name(header), None), None
        return await self._keyring.find(session, copy.key, copy), copy


def _version(ref: BackupRef) -> tuple[str, str]:
    return ref.manifest.key, ref.manifest.etag


def _key_name(header: bytes) -> str:
    """The key's name in a header whose checksum is wrong. Raises DamagedRecord."""
    try:
        name = str(msgspec.json.decode(header)["key"])
        layout.key_created(name)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, layout.BadName):
        raise DamagedRecord("a manifest is damaged") from None
    return name


def _encode(key: DataKey, wrapped: WrappedKey, manifest: StoredManifest) -> bytes:
    body = msgspec.json.encode(manifest)
    return frame(encode_key(wrapped), encrypt_body(key, manifest.session, manifest.generation, manifest.backup, body))


def _decode(key: DataKey, session: str, ref: BackupRef, ciphertext: bytes) -> StoredManifest:
    body = decrypt_body(key, session, ref.generation, ref.id, ciphertext)
    try:
        manifest = msgspec.json.decode(body, type=StoredManifest)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise DamagedRecord("a manifest cannot be read") from error
    if manifest.format > FORMAT:
        raise DamagedRecord("a manifest has a newer format")
    return manifest


def _summarise(manifest: StoredManifest, key: DataKey) -> Summary:
    return Summary(
        snapshot=manifest.snapshot,
        taken_at=manifest.taken_at,
        browser_version=manifest.browser_version,
        content=manifest.content,
        bytes=manifest.total_bytes,
        key=key.name,
        packs=manifest.packs,
    )
