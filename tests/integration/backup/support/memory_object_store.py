"""An object store in memory, for tests of the logic: it passes the same suite as the S3 store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from backup.domain.listing import ListedObject
from backup.ports import Blob, Taken
from shared.clock import Clock
from shared.contracts.backups import FailureCode
from shared.contracts.errors import Unavailable


@dataclass
class MemoryObjectStore:
    """`fail` makes every request Unavailable; `writes` counts the writes."""

    clock: Clock
    conditional: bool = True
    fail: bool = False
    objects: dict[str, ListedObject] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    writes: int = 0

    async def prepare(self) -> None:
        self._check()

    async def probe(self) -> None:
        self._check()

    async def read(self, key: str, *, start: int = 0, length: int | None = None) -> Blob | None:
        self._check()
        if key not in self.data:
            return None
        end = None if length is None else start + length
        return Blob(self.data[key][start:end], self.objects[key].etag)

    async def write(self, key: str, data: bytes) -> None:
        self._check()
        self.writes += 1
        self.data[key] = bytes(data)
        etag = f'"{sha256(data).hexdigest()[:32]}"'
        self.objects[key] = ListedObject(key, len(data), etag, self.clock.now())

    async def create(self, key: str, data: bytes) -> None:
        self._check()
        if key in self.data:
            raise Taken(key)
        await self.write(key, data)

    async def replace(self, key: str, data: bytes, etag: str) -> None:
        self._check()
        if key not in self.data or self.objects[key].etag != etag:
            raise Taken(key)
        await self.write(key, data)

    async def list_objects(self, prefix: str) -> list[ListedObject]:
        self._check()
        return [self.objects[key] for key in sorted(self.objects) if key.startswith(prefix)]

    async def folders(self, prefix: str) -> list[str]:
        self._check()
        rests = (key.removeprefix(prefix) for key in self.objects if key.startswith(prefix))
        return sorted({rest.split("/", 1)[0] for rest in rests if "/" in rest})

    async def delete(self, keys: Sequence[str]) -> None:
        self._check()
        for key in keys:
            self.objects.pop(key, None)
            self.data.pop(key, None)

    def _check(self) -> None:
        if self.fail:
            raise Unavailable("the store cannot be asked", code=FailureCode.STORE_UNREACHABLE)
