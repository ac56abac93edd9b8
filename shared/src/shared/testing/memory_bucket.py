"""A bucket in memory, with the faults that the real one can have."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from shared.bus.buckets import EXPECTED, OPERATION, Bucket, OnChange, Watcher
from shared.bus.replay import Item
from shared.bus.transport import Served
from shared.contracts.errors import Conflict, TimedOut, Unavailable
from shared.contracts.message import Message

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class _Stored:
    revision: int
    data: bytes
    deleted: bool


@dataclass
class MemoryStore:
    """What one bucket holds; several `MemoryBucket`s may look at it, as several services would.

    `lost`: nothing can be asked. `lose_acks`: so many next writes happen, and their writers get TimedOut.
    """

    lost: bool = False
    lose_acks: int = 0
    values: dict[str, _Stored] = field(default_factory=dict)
    revision: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    watches: set[_MemoryWatch] = field(default_factory=set)

    def write(self, key: str, data: bytes, headers: Mapping[str, str]) -> int:
        stored = self.values.get(key)
        if EXPECTED in headers and int(headers[EXPECTED]) != (stored.revision if stored else 0):
            raise Conflict("somebody else changed it")
        self.revision += 1
        self.values[key] = _Stored(self.revision, data, OPERATION in headers)
        for watch in self.watches:
            watch.tell(key)
        if self.lose_acks > 0:
            self.lose_acks -= 1
            raise TimedOut("no answer in time; whether it happened is unknown")
        return self.revision

    def lose_data(self) -> None:
        """As a NATS that came back with an empty volume: revisions begin at 1 again, watches start anew."""
        self.values.clear()
        self.revision = 0
        self.repeat()

    def repeat(self) -> None:
        """What a new connection does to the watches."""
        for watch in self.watches:
            watch.tell(None)


class MemoryBucket(Bucket[M]):
    """Passes the same tests as the real one."""

    def __init__(
        self,
        kind: type[M],
        store: MemoryStore | None = None,
        *,
        reachable: Callable[[], bool] = lambda: True,
        keep: Callable[[Served], Served] = lambda served: served,
    ) -> None:
        self._name = "memory"
        self._kind = kind
        self._keep = keep
        self._reachable = reachable
        self.store = store if store is not None else MemoryStore()

    async def keys(self) -> list[str]:
        await self._ask()
        return sorted(key for key, stored in self.store.values.items() if not stored.deleted)

    async def watch(self, on_change: OnChange[M], *, on_ready: Callable[[], None] | None = None) -> Served:
        watcher = Watcher(self._name, self._kind, on_change, on_ready, self.store.counts)
        return self._keep(_MemoryWatch(self.store, watcher))

    async def _store(self, key: str, data: bytes, headers: Mapping[str, str]) -> int:
        await self._ask()
        return self.store.write(key, data, headers)

    async def _find(self, key: str) -> tuple[int, bool, bytes] | None:
        await self._ask()
        stored = self.store.values.get(key)
        return (stored.revision, stored.deleted, stored.data) if stored else None

    async def _ask(self) -> None:
        await asyncio.sleep(0)
        if self.store.lost or not self._reachable():
            raise Unavailable("not connected to NATS")


class _MemoryWatch:
    """Feeds a watcher from a task of its own; None in the queue means: give the present values again."""

    def __init__(self, store: MemoryStore, watcher: Watcher[M]) -> None:
        self._store = store
        self._watcher = watcher
        self._queue: asyncio.Queue[tuple[str, _Stored] | None] = asyncio.Queue()
        self._queue.put_nowait(None)
        store.watches.add(self)
        self._task = asyncio.create_task(self._run())

    def tell(self, key: str | None) -> None:
        self._queue.put_nowait(None if key is None else (key, self._store.values[key]))

    async def stop(self) -> None:
        self._store.watches.discard(self)
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            change = await self._queue.get()
            if change is None:
                await self._repeat()
            else:
                await self._give(*change)

    async def _repeat(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()  # the present values say it all
        self._watcher.start()
        for key, stored in list(self._store.values.items()):
            await self._give(key, stored)
        await self._watcher.complete()

    async def _give(self, key: str, stored: _Stored) -> None:
        headers = {OPERATION: "DEL"} if stored.deleted else {}
        await self._watcher.take(key, Item(key, stored.data, headers, stored.revision, 0, 0))
