"""Which log lines were written already, so that a fault that repeats a thousand times is one line."""

from __future__ import annotations

from collections.abc import Hashable


class RepeatFilter:
    """Remembers at most `limit` keys; then it starts afresh, and a line may appear a second time."""

    def __init__(self, limit: int = 500) -> None:
        self._seen: set[Hashable] = set()
        self._limit = limit

    def is_new(self, *key: Hashable) -> bool:
        """True the first time that a key is given."""
        if key in self._seen:
            return False
        if len(self._seen) >= self._limit:
            self._seen.clear()
        self._seen.add(key)
        return True

    def clear(self) -> None:
        self._seen.clear()
