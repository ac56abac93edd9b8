"""Manifests on the shelf: read, opened, kept in memory.

Knows the envelope and the two caches: a small summary of every manifest, and the whole of the last few. Both go by key
and ETag, so an object that changed is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from backup.domain import layout
from backup.domain.epochs import Damaged
from backup.domain.inventory import BackupRef
from backup.domain.manifests import FORMAT, StoredManifest, WrappedKey, frame, read_key, unframe, write_key
from backup.ports import DataKey, ObjectStore, Summary
from shared.contracts.errors import NotFound

from .encryption import open_body, seal_body
from .keyring import Keyring
from .recent import Recent

_SUMMARIES = 20_000
_WHOLE = 96


class ShelvedManifests:
    def __init__(self, store: ObjectStore, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring
        self._summaries: Recent[Summary] = Recent(_SUMMARIES)
        self._whole: Recent[StoredManifest] = Recent(_WHOLE)
        self._copies: Recent[WrappedKey] = Recent(_SUMMARIES)

    async def summary(self, session: str, ref: BackupRef) -> Summary:
        """Raises Damaged, ForeignKey, NotFound."""
        known = self._summaries.get(_place(ref))
        if known is None:
            await self.full(session, ref)
            known = self._summaries.get(_place(ref))
        if known is None:
            raise Damaged("a manifest is damaged")
        return known

    async def full(self, session: str, ref: BackupRef, *, fresh: bool = False) -> StoredManifest:
        """Raises Damaged, ForeignKey, NotFound. `fresh`: read it from the store whatever is known."""
        known = None if fresh else self._whole.get(_place(ref))
        if known is not None:
            return known
        blob = await self._store.read(ref.manifest.key)
        if blob is None:
            raise NotFound("no such backup")
        header, sealed = unframe(blob.data)
        key, copy = await self._key(session, header)
        manifest = await asyncio.to_thread(_open, key, session, ref, sealed)
        self._whole.put(_place(ref), manifest)
        self._summaries.put(_place(ref), _summarise(manifest, key))
        if copy is not None:
            self._copies.put(_place(ref), copy)
        return manifest

    async def key(self, session: str, ref: BackupRef) -> DataKey:
        """The key that opens the chunks of this backup."""
        summary = await self.summary(session, ref)
        return await self._keyring.find(session, summary.key, self._copies.get(_place(ref)))

    async def key_copies(self, refs: Iterable[BackupRef]) -> dict[str, WrappedKey]:
        copies = (self._copies.get(_place(ref)) for ref in refs)
        return {copy.key: copy for copy in copies if copy is not None}

    async def write(self, key: DataKey, manifest: StoredManifest) -> None:
        data = await asyncio.to_thread(_seal, key, self._keyring.wrap(manifest.session, key), manifest)
        await self._store.create(layout.manifest(manifest.session, manifest.generation, manifest.backup), data)

    async def _key(self, session: str, header: bytes) -> tuple[DataKey, WrappedKey | None]:
        """The header may be damaged where it does not matter: then each key of the session is worth a try."""
        try:
            copy = read_key(header)
        except Damaged:
            return await self._keyring.find(session, _name_in(header), None), None
        return await self._keyring.find(session, copy.key, copy), copy


def _place(ref: BackupRef) -> tuple[str, str]:
    return ref.manifest.key, ref.manifest.etag


def _name_in(header: bytes) -> str:
    """The key's name in a header whose checksum is wrong. Raises Damaged."""
    try:
        name = str(msgspec.json.decode(header)["key"])
        layout.key_created(name)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, layout.BadName):
        raise Damaged("a manifest is damaged") from None
    return name


def _seal(key: DataKey, wrapped: WrappedKey, manifest: StoredManifest) -> bytes:
    body = msgspec.json.encode(manifest)
    return frame(write_key(wrapped), seal_body(key, manifest.session, manifest.generation, manifest.backup, body))


def _open(key: DataKey, session: str, ref: BackupRef, sealed: bytes) -> StoredManifest:
    body = open_body(key, session, ref.generation, ref.id, sealed)
    try:
        manifest = msgspec.json.decode(body, type=StoredManifest)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Damaged("a manifest cannot be read") from error
    if manifest.format > FORMAT:
        raise Damaged("a manifest has a newer format")
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
