"""The data keys of sessions: each lies wrapped under its own key in the store, with a copy in every manifest.

A wrapped key that does not decrypt is damaged, and a copy of it may be whole elsewhere. A key under a master key that
this service does not have is passed over: anybody can plant such an object, and a wrong setting shows at the head,
which is verified before a backup begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

import structlog

from backup.adapters.conditional_write import write_over
from backup.domain import layout
from backup.domain.data_keys import usable_keys
from backup.domain.listing import SessionObjects
from backup.domain.manifests import WrappedKey, decode_key, encode_key
from backup.domain.records import DamagedRecord
from backup.ports import Blob, DataKey, ObjectStore, Taken
from shared.clock import Clock

from .encryption import ForeignMasterKey, MasterKeys

log = structlog.get_logger()


class Keyring:
    def __init__(self, store: ObjectStore, master_keys: MasterKeys, clock: Clock) -> None:
        self._store = store
        self._master_keys = master_keys
        self._clock = clock
        self._known: dict[tuple[str, str], DataKey] = {}

    def wrap(self, session: str, key: DataKey) -> WrappedKey:
        return self._master_keys.wrap(session, key)

    async def find(self, session: str, name: str, copy: WrappedKey | None) -> DataKey:
        """The key of this name, from its object or else from `copy`. Raises DamagedRecord, ForeignMasterKey."""
        known = self._known.get((session, name))
        if known is not None:
            return known
        try:
            key = await self._from_object(session, name)
        except (DamagedRecord, ForeignMasterKey):
            if copy is None or copy.key != name:
                raise
            key = self._master_keys.unwrap(session, copy)
        self._known[session, name] = key
        return key

    async def current(
        self, objects: SessionObjects, copies: Mapping[str, WrappedKey], *, tombstoned_at: datetime | None
    ) -> DataKey:
        """The newest key that is younger than the tombstone and decrypts; a new key when there is none. `copies` are
        those of the manifests, by name. The key's object is written again when it is lost, damaged or under an older
        master key."""
        session = objects.session
        for name in usable_keys({*objects.keys, *copies}, tombstoned_at):
            try:
                key = await self.find(session, name, copies.get(name))
            except (DamagedRecord, ForeignMasterKey) as error:
                log.error("data_key_not_usable", session=session, key=name, error=type(error).__name__)
                continue
            await self._rewrap(session, key)
            return key
        return await self._make(session)

    async def rewrap_all(self, objects: SessionObjects) -> None:
        """Wrap every key that opens by the present master key."""
        for name in objects.keys:
            try:
                await self._rewrap(objects.session, await self.find(objects.session, name, None))
            except (DamagedRecord, ForeignMasterKey):
                continue

    async def _from_object(self, session: str, name: str) -> DataKey:
        blob = await self._store.read(layout.data_key(session, name))
        return self._master_keys.unwrap(session, _decode(blob, name))

    async def _rewrap(self, session: str, key: DataKey) -> None:
        """Write the key's object again unless it holds this key under the present master key."""
        object_key = layout.data_key(session, key.name)
        blob = await self._store.read(object_key)
        try:
            wrapped = _decode(blob, key.name)
            if wrapped.master == self._master_keys.name and self._master_keys.unwrap(session, wrapped) == key:
                return
        except (DamagedRecord, ForeignMasterKey):
            log.warning("data_key_written_anew", session=session)
        data = encode_key(self._master_keys.wrap(session, key))
        await write_over(self._store, object_key, blob, data)

    async def _make(self, session: str) -> DataKey:
        key = self._master_keys.new_key(layout.key_name(self._clock.now(), uuid4().hex[:8]))
        try:
            await self._store.create(
                layout.data_key(session, key.name), encode_key(self._master_keys.wrap(session, key))
            )
        except Taken:
            # The name is random, so the object is our own write, which boto3 repeated.
            log.info("data_key_create_repeated", session=session)
        self._known[session, key.name] = key
        return key


def _decode(blob: Blob | None, name: str) -> WrappedKey:
    if blob is None:
        raise DamagedRecord("a data key is missing")
    wrapped = decode_key(blob.data)
    if wrapped.key != name:
        raise DamagedRecord("a data key lies under another's name")
    return wrapped
