"""An ordered map over coroutines, with a bounded number under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def ordered_map(work: Callable[[T], Awaitable[R]], items: Iterable[T], *, width: int) -> AsyncGenerator[R, None]:
    """The results in the order of the items. A caller who leaves early closes the generator (`contextlib.aclosing`);
    work under way is then cancelled."""
    under_way: deque[asyncio.Future[R]] = deque()
    try:
        for item in items:
            under_way.append(asyncio.ensure_future(work(item)))
            if len(under_way) >= width:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
