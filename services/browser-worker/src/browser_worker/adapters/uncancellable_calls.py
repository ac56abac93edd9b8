"""Blocking work in a thread, called from a coroutine that may be cancelled.

A thread cannot be cancelled. A cancelled caller therefore waits for the end of the thread; otherwise the thread would
still write after the caller has released its lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """The result of `work`, or the error that it raises. A cancelled call ends only after `work` has ended."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({running})
        if not running.cancelled():
            running.exception()
        raise
