"""Who guesses keys, and how long a guesser is asked to wait.

A right key is never asked to wait, wherever it comes from: behind a proxy or on one machine the owner and a guesser
share an address, and whoever is slowed could otherwise lock the owner out. What keeps the door is the length of the
key, against which no number of guesses helps. Slowing keeps guessers from filling the log and tells a client with an
old key that it had better stop.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from shared.backoff import Backoff

MOST_NETWORKS = 4096
"""Held at once. When there are more, the one that was quiet longest goes."""
WAITS = Backoff(first=2.0, longest=900.0)
"""Seconds."""


@dataclass(frozen=True)
class WrongKey:
    """`count`: wrong keys of this network since it was last quiet. `wait`: whole seconds until the next one is answered
    plainly; 0 for a first few."""

    count: int
    wait: int

    @property
    def is_news(self) -> bool:
        """The first, and each time that their number has doubled."""
        return self.count & (self.count - 1) == 0


@dataclass
class _Guesser:
    tokens: float
    at: float
    count: int = 0
    waits: int = 0


class WrongKeys:
    """`per_minute` wrong keys of a network are answered plainly. Each further one doubles the wait; quiet heals. Not
    safe for threads: the holder locks."""

    def __init__(self, per_minute: int) -> None:
        self._most = float(per_minute)
        self._rate = per_minute / 60.0
        self._guessers: OrderedDict[str, _Guesser] = OrderedDict()

    def count(self, network: str, at: float) -> WrongKey:
        guesser = self._guessers.setdefault(network, _Guesser(self._most, at))
        self._guessers.move_to_end(network)
        if len(self._guessers) > MOST_NETWORKS:
            self._guessers.popitem(last=False)
        guesser.tokens = min(self._most, guesser.tokens + (at - guesser.at) * self._rate)
        guesser.at = at
        if guesser.tokens >= self._most:
            guesser.count = guesser.waits = 0
        guesser.count += 1
        if guesser.tokens >= 1.0:
            guesser.tokens -= 1.0
            return WrongKey(guesser.count, 0)
        guesser.waits += 1
        guesser.tokens = min(guesser.tokens, 1.0 - WAITS.delay(guesser.waits) * self._rate)
        return WrongKey(guesser.count, math.ceil((1.0 - guesser.tokens) / self._rate))
