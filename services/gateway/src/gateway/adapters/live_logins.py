"""The logins of the page in memory, brought to NATS and kept as NATS has them.

Request threads read, add and end; the bus thread feeds in what other gateways did (`login_changed`) and writes what
this one did (`keep`), as often as it takes. So an outage of NATS logs nobody out, and a login that was ended during one
stays ended here. The trap: a recorded use must never bring an ended login back, so it is written over the revision that
was read, and never as a new record.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto

from gateway.domain.logins import MOST_LOGINS, LoginRules
from shared.bus.buckets import Bucket
from shared.clock import Clock
from shared.contracts.errors import Conflict, ServiceError, Unavailable
from shared.contracts.logins import LoginRecord
from shared.runtime import get_logger

RETRY_SECONDS = 1.0
SWEEP_SECONDS = 30.0
"""How often ended logins are looked for and removed."""
REMEMBERED_ENDS = 1000
"""Ids of ended logins that an old report can no longer bring back."""


class _Kind(Enum):
    ADDED = auto()
    USED = auto()
    ENDED = auto()


@dataclass(frozen=True)
class _Change:
    """What NATS must still be told. `login` is None for an end."""

    kind: _Kind
    login: LoginRecord | None = None


class LiveLogins:
    """Implements ports.Logins. `read` asks NATS for one login; `on_end` wakes whoever serves a login that ended."""

    def __init__(
        self,
        clock: Clock,
        rules: LoginRules,
        *,
        read: Callable[[str], LoginRecord | None],
        on_end: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._rules = rules
        self._read = read
        self._on_end = on_end
        self._logins: dict[str, LoginRecord] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._pending: dict[str, _Change] = {}
        self._changed = threading.Condition()
        self._wake: Callable[[], None] = lambda: None
        self._loaded = False

    # for request threads

    def find(self, login_id: str) -> LoginRecord | None:
        with self._changed:
            login = self._logins.get(login_id)
            if login is None and login_id in self._ended:
                return None
        if login is None:
            login = self._read(login_id)  # made at another gateway a moment ago, or before this one started
        lasts = login is not None and login.id == login_id and not self._rules.has_ended(login, self._clock.now())
        return login if lasts else None

    def all(self) -> list[LoginRecord]:
        if not self._loaded:
            raise Unavailable("the logins are not known yet: NATS has not answered since the start")
        return self._lasting()

    def _lasting(self) -> list[LoginRecord]:
        now = self._clock.now()
        with self._changed:
            return [login for login in self._logins.values() if not self._rules.has_ended(login, now)]

    def add(self, login: LoginRecord, *, timeout: float) -> bool:
        others = sorted(self._lasting(), key=lambda each: each.seen_at)
        with self._changed:
            self._logins[login.id] = login
            self._pending[login.id] = _Change(_Kind.ADDED, login)
        self.end([each.id for each in others[: max(0, len(others) + 1 - MOST_LOGINS)]], timeout=0)
        return self._told([login.id], timeout)

    def use(self, login: LoginRecord) -> None:
        with self._changed:
            if login.id in self._ended:
                return
            self._logins[login.id] = login
            waiting = self._pending.get(login.id)
            kind = _Kind.ADDED if waiting is not None and waiting.kind is _Kind.ADDED else _Kind.USED
            self._pending[login.id] = _Change(kind, login)
        self._wake()

    def end(self, login_ids: Iterable[str], *, timeout: float) -> bool:
        ids = list(login_ids)
        with self._changed:
            for login_id in ids:
                self._forget(login_id)
                self._pending[login_id] = _Change(_Kind.ENDED)
        if ids:
            self._on_end()
        return self._told(ids, timeout)

    def _told(self, login_ids: list[str], timeout: float) -> bool:
        """Whether NATS knows all that changed about these logins, after `timeout` seconds at most."""
        self._wake()
        with self._changed:
            return self._changed.wait_for(lambda: not any(each in self._pending for each in login_ids), timeout)

    def _forget(self, login_id: str) -> None:
        self._logins.pop(login_id, None)
        self._ended[login_id] = None
        if len(self._ended) > REMEMBERED_ENDS:
            self._ended.popitem(last=False)

    # for the bus thread

    def loaded(self) -> None:
        self._loaded = True

    def login_changed(self, login_id: str, login: LoginRecord | None) -> None:
        with self._changed:
            if login is None:
                self._forget(login_id)
            elif login.id == login_id and login_id not in self._ended:
                held = self._logins.get(login_id)
                if held is None or held.seen_at <= login.seen_at:
                    self._logins[login_id] = login
        if login is None:
            self._on_end()

    async def keep(self, bucket: Bucket[LoginRecord]) -> None:
        """Bring every change to NATS, and remove what has ended. Runs until it is cancelled."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(woken.set)

        self._wake = wake
        while True:
            woken.clear()
            self._sweep()
            written = await self._write_all(bucket)
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS if written else RETRY_SECONDS):
                    await woken.wait()

    def _sweep(self) -> None:
        now = self._clock.now()
        with self._changed:
            ended = [each.id for each in self._logins.values() if self._rules.has_ended(each, now)]
            for login_id in ended:
                self._forget(login_id)
                self._pending[login_id] = _Change(_Kind.ENDED)
        if ended:
            get_logger().info("logins_outlived", count=len(ended))
            self._on_end()

    async def _write_all(self, bucket: Bucket[LoginRecord]) -> bool:
        """False when NATS could not be told everything."""
        with self._changed:
            pending = list(self._pending.items())
        for login_id, change in pending:
            try:
                await self._write(bucket, login_id, change)
            except ServiceError:
                return False
            except Exception as error:
                get_logger().error("login_not_written", error=type(error).__name__)
                return False
            with self._changed:
                if self._pending.get(login_id) is change:
                    del self._pending[login_id]
                self._changed.notify_all()
        return True

    async def _write(self, bucket: Bucket[LoginRecord], login_id: str, change: _Change) -> None:
        if change.login is None:
            await bucket.delete(login_id)
        elif change.kind is _Kind.ADDED:
            with suppress(Conflict):  # an earlier attempt arrived although its answer was lost
                await bucket.create(login_id, change.login)
        else:
            entry = await bucket.get(login_id)
            if entry is None:
                self.login_changed(login_id, None)
                return
            with suppress(Conflict):  # another gateway was faster: it recorded a use or the end, and reports it
                await bucket.update(login_id, change.login, entry.revision)
