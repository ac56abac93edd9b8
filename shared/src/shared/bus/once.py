"""Which lines were logged already, so that a fault that repeats a thousand times is one line."""

from __future__ import annotations

from collections.abc import Hashable


class Once:
    """True the first time it is asked for a key; remembers at most `limit` keys, then starts anew."""

    def __init__(self, limit: int = 500) -> None:
        self._seen: set[Hashable] = set()
        self._limit = limit

    def __call__(self, *key: Hashable) -> bool:
        if key in self._seen:
            return False
        if len(self._seen) >= self._limit:
            self._seen.clear()
        self._seen.add(key)
        return True

    def forget(self) -> None:
        self._seen.clear()
