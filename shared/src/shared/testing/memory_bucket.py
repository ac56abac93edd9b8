"""A bucket in memory, with the faults that the real one can have."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from shared.bus.buckets import EXPECTED, Bucket, OnChange, OnUnverified, Stored, Watcher, is_deletion
from shared.bus.gate import Gate
from shared.bus.ordered_consumer import StreamMessage
from shared.bus.transport import Subscription
from shared.clock import SystemClock
from shared.contracts import registry
from shared.contracts.errors import Conflict, TimedOut, Unavailable
from shared.contracts.message import Message
from shared.contracts.subjects import key_of_bucket

from .identities import every_user

M = TypeVar("M", bound=Message)


@dataclass
class BucketData:
    """What one bucket holds. Several `MemoryBucket`s may share the data, as several services share a bucket.

    `lost`: the bucket cannot be asked. `lose_acks`: so many of the next writes happen, but their writers get TimedOut.
    """

    lost: bool = False
    lose_acks: int = 0
    values: dict[str, Stored] = field(default_factory=dict)
    revision: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    watches: set[_MemoryWatch] = field(default_factory=set)

    def write(self, key: str, data: bytes, headers: Mapping[str, str]) -> int:
        stored = self.values.get(key)
        if EXPECTED in headers and int(headers[EXPECTED]) != (stored.revision if stored else 0):
            raise Conflict("somebody else changed it")
        self.revision += 1
        self.values[key] = Stored(self.revision, dict(headers), data)
        for watch in self.watches:
            watch.add(key)
        if self.lose_acks > 0:
            self.lose_acks -= 1
            raise TimedOut("no answer in time; whether it happened is unknown")
        return self.revision

    def lose_data(self) -> None:
        """Behave as a NATS that came back with an empty volume: revisions begin at 1 again, watches start anew."""
        self.values.clear()
        self.revision = 0
        self.restart_watches()

    def restart_watches(self) -> None:
        """Do to the watches what a new connection does."""
        for watch in self.watches:
            watch.add(None)


class MemoryBucket(Bucket[M]):
    """Passes the same tests as the real bucket."""

    def __init__(
        self,
        kind: type[M],
        data: BucketData | None = None,
        *,
        name: str = "",
        gate: Gate | None = None,
        reachable: Callable[[], bool] = lambda: True,
        track: Callable[[Subscription], Subscription] = lambda watch: watch,
    ) -> None:
        """Without a name the bucket that the registry knows for `kind`."""
        self.data = data if data is not None else BucketData()
        self._name = name or next(each.bucket for each in registry.BUCKETS if each.message is kind)
        self._gate = gate or Gate(every_user(), self.data.counts, SystemClock())
        self._kind = kind
        self._track = track
        self._reachable = reachable

    async def keys(self) -> list[str]:
        await self._ask()
        return sorted(key for key, stored in self.data.values.items() if not is_deletion(stored.headers))

    async def watch(
        self,
        on_change: OnChange[M],
        *,
        on_ready: Callable[[], None] | None = None,
        on_unverified: OnUnverified | None = None,
    ) -> Subscription:
        watcher = Watcher(self._gate, self._name, self._kind, on_change, on_ready, on_unverified)
        return self._track(_MemoryWatch(self.data, self._name, watcher))

    async def _store(self, subject: str, data: bytes, headers: Mapping[str, str]) -> int:
        await self._ask()
        return self.data.write(self._key(subject), data, headers)

    async def _find(self, subject: str) -> Stored | None:
        await self._ask()
        return self.data.values.get(self._key(subject))

    async def _ask(self) -> None:
        await asyncio.sleep(0)
        if self.data.lost or not self._reachable():
            raise Unavailable("not connected to NATS")


class _MemoryWatch:
    """Feeds a watcher from a task of its own; None in the queue means: give the present values again."""

    def __init__(self, data: BucketData, name: str, watcher: Watcher[M]) -> None:
        self._data = data
        self._name = name
        self._watcher = watcher
        self._queue: asyncio.Queue[tuple[str, Stored] | None] = asyncio.Queue()
        self._queue.put_nowait(None)
        data.watches.add(self)
        self._task = asyncio.create_task(self._run())

    def add(self, key: str | None) -> None:
        self._queue.put_nowait(None if key is None else (key, self._data.values[key]))

    async def stop(self) -> None:
        self._data.watches.discard(self)
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            change = await self._queue.get()
            if change is None:
                await self._give_all()
            else:
                await self._give(*change)

    async def _give_all(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()  # the present values say it all
        self._watcher.start()
        for key, stored in list(self._data.values.items()):
            await self._give(key, stored)
        await self._watcher.complete()

    async def _give(self, key: str, stored: Stored) -> None:
        subject = key_of_bucket(self._name, key)
        await self._watcher.take(key, StreamMessage(subject, stored.data, stored.headers, stored.revision, 0, 0))
