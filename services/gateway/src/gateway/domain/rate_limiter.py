"""How often something may be asked for: token buckets. `at` is monotonic time in seconds."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

MAX_KEYS = 4096
"""Buckets held at once. When there are more, the bucket that was unused longest goes."""


@dataclass
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """`per_minute` requests for each key, at once or spread. Not safe for threads: the holder locks."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, at: float) -> int:
        """0 when the request may pass, else the whole seconds to wait."""
        bucket = self._buckets.setdefault(key, _Bucket(self.per_minute, at))
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
        rate = self.per_minute / 60.0
        bucket.tokens = min(float(self.per_minute), bucket.tokens + (at - bucket.at) * rate)
        bucket.at = at
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return 0
        return max(1, math.ceil((1.0 - bucket.tokens) / rate))
