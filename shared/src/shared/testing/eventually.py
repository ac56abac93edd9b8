"""Waiting for a condition with a deadline, instead of sleeping for a guessed time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.clock import sleep_blocking

T = TypeVar("T")


async def eventually(
    check: Callable[[], T | Awaitable[T]], *, timeout: float = 10.0, interval: float = 0.05, message: str = ""
) -> T:
    """Call `check` until it returns a true value, and return that value. An AssertionError in `check` counts as "not
    yet". Raises AssertionError after `timeout` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while True:
        last: object
        try:
            result = check()
            value: T = await result if inspect.isawaitable(result) else result
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if loop.time() >= deadline:
            raise AssertionError(f"{message or 'the condition'} did not hold within {timeout} s; last: {last!r}")
        await asyncio.sleep(interval)


def eventually_sync(check: Callable[[], T], *, timeout: float = 10.0, interval: float = 0.05, message: str = "") -> T:
    """As `eventually`, without an event loop."""
    deadline = time.perf_counter() + timeout
    while True:
        last: object
        try:
            value = check()
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.perf_counter() >= deadline:
            raise AssertionError(f"{message or 'the condition'} did not hold within {timeout} s; last: {last!r}")
        sleep_blocking(interval)
