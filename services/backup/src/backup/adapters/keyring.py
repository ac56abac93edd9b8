"""The data keys of sessions: kept wrapped under `keys/`, and a copy in each manifest.

Knows which copy to try. The trap: a wrapped key that does not open is damaged and has copies elsewhere; one under a
master key that we do not have is a wrong setting, and making a new data key then would hide it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

import structlog

from backup.domain import layout
from backup.domain.epochs import Damaged
from backup.domain.inventory import Inventory
from backup.domain.manifests import WrappedKey, read_key, write_key
from backup.ports import Blob, DataKey, ObjectStore, Taken
from shared.clock import Clock
from shared.contracts.errors import Unavailable

from .encryption import ForeignKey, Vault

log = structlog.get_logger()


class Keyring:
    def __init__(self, store: ObjectStore, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._known: dict[tuple[str, str], DataKey] = {}

    def wrap(self, session: str, key: DataKey) -> WrappedKey:
        return self._vault.wrap(session, key)

    async def find(self, session: str, name: str, copy: WrappedKey | None) -> DataKey:
        """The key of this name, from its object or from `copy`. Raises Damaged, ForeignKey."""
        known = self._known.get((session, name))
        if known is not None:
            return known
        try:
            key = await self._from_object(session, name)
        except (Damaged, ForeignKey):
            if copy is None or copy.key != name:
                raise
            key = self._vault.unwrap(session, copy)
        self._known[session, name] = key
        return key

    async def present(
        self, inventory: Inventory, copies: Mapping[str, WrappedKey], *, buried: datetime | None
    ) -> DataKey:
        """The newest usable key of the session that is younger than its tombstone; made when there is none. `copies`
        are those of the manifests, by name. Its object is written anew when it is lost, damaged or under an older
        master key."""
        session = inventory.session
        for name in sorted({*inventory.keys, *copies}, reverse=True):
            if not _is_of_this_life(name, buried):
                continue
            try:
                key = await self.find(session, name, copies.get(name))
            except Damaged:
                log.error("data_key_damaged", session=session)
                continue
            except ForeignKey:
                raise Unavailable(
                    "the data key was made with another master key",
                    hint="give the old one as MASTER_KEY_PREVIOUS",
                    code="wrong_master_key",
                ) from None
            await self._mend(session, key)
            return key
        return await self._make(session)

    async def _from_object(self, session: str, name: str) -> DataKey:
        return self._vault.unwrap(session, _read(await self._store.read(layout.data_key(session, name)), name))

    async def _mend(self, session: str, key: DataKey) -> None:
        place = layout.data_key(session, key.name)
        blob = await self._store.read(place)
        try:
            wrapped = _read(blob, key.name)
            if wrapped.master == self._vault.master_name and self._vault.unwrap(session, wrapped) == key:
                return
        except (Damaged, ForeignKey):
            log.warning("data_key_written_anew", session=session)
        data = write_key(self._vault.wrap(session, key))
        try:
            await (self._store.replace(place, data, blob.etag) if blob else self._store.create(place, data))
        except Taken:
            return

    async def _make(self, session: str) -> DataKey:
        key = self._vault.new_key(f"{layout.utc(self._clock.now())}-{uuid4().hex[:8]}")
        try:
            await self._store.create(layout.data_key(session, key.name), write_key(self._vault.wrap(session, key)))
        except Taken:
            # its name is random, so this is our own write, answered twice
            log.info("data_key_create_repeated", session=session)
        self._known[session, key.name] = key
        return key


def _read(blob: Blob | None, name: str) -> WrappedKey:
    if blob is None:
        raise Damaged("a data key is missing")
    wrapped = read_key(blob.data)
    if wrapped.key != name:
        raise Damaged("a data key lies under another's name")
    return wrapped


def _is_of_this_life(name: str, buried: datetime | None) -> bool:
    try:
        created = layout.key_created(name)
    except layout.BadName:
        return False
    # names have whole seconds: a key of the tombstone's own second counts as one of the former life
    return buried is None or created > buried
