"""A bounded number of places, and who must give one up: whoever holds the most. So nobody can starve the others."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)


class Holders(Generic[P]):
    """Which holder has which places, the oldest first. Not safe for threads: who needs that locks."""

    def __init__(self) -> None:
        self._places: dict[str, dict[P, None]] = {}
        self._holder_of: dict[P, str] = {}

    def __len__(self) -> int:
        return len(self._holder_of)

    def __iter__(self) -> Iterator[P]:
        return iter(self._holder_of)

    def add(self, holder: str, place: P) -> None:
        """`place` becomes the newest of the holder's, also when it was held before."""
        self.remove(place)
        self._places.setdefault(holder, {})[place] = None
        self._holder_of[place] = holder

    def remove(self, place: P) -> None:
        """Nothing happens for a place that nobody holds."""
        holder = self._holder_of.pop(place, None)
        if holder is None:
            return
        held = self._places[holder]
        del held[place]
        if not held:
            del self._places[holder]

    def held_by(self, holder: str) -> int:
        return len(self._places.get(holder, ()))

    def greediest(self) -> str:
        """Who holds the most; "" when nobody holds any."""
        return max(self._places, key=lambda holder: len(self._places[holder]), default="")

    def oldest(self, holder: str) -> P:
        """Raises KeyError when the holder has none."""
        return next(iter(self._places[holder]))


class WaitingRoom(Generic[P]):
    """The connections on which the gateway waits for the client: for a request, for the rest of one, or until an answer
    is taken. A newcomer is always let in; where that is one too many, an older one must leave.

    Each address (`holder`) may have `most_of_one`, all together `most`. The holder "" is a proxy that speaks for many:
    only the bound for all counts for it.
    """

    def __init__(self, *, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._waiting = Holders[P]()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[P]:
        return iter(tuple(self._waiting))

    def enter(self, holder: str, connection: P) -> P | None:
        """The connection that must leave for this one: the oldest of the same address, or of the address that has the
        most. It is no longer in the room."""
        self._waiting.add(holder, connection)
        if holder and self._waiting.held_by(holder) > self._most_of_one:
            return self._show_out(holder)
        if len(self._waiting) > self._most:
            return self._show_out(self._waiting.greediest())
        return None

    def leave(self, connection: P) -> None:
        self._waiting.remove(connection)

    def _show_out(self, holder: str) -> P:
        leaving = self._waiting.oldest(holder)
        self._waiting.remove(leaving)
        return leaving
