"""The outermost frame of a service's process: event loop, signals, exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from shared.contracts.errors import ServiceError

from .shutdown import Shutdown

FAILED_EXIT_CODE = 1
CRASHED_EXIT_CODE = 70

log = structlog.get_logger()


def run_service(name: str, main: Callable[[Shutdown], Awaitable[int]]) -> NoReturn:
    """Run `main` and end the process with the code it returns. Phases of the shutdown that `main` has not run itself
    run after it, also when it raises. A ServiceError is one line and code 1, anything else code 70."""

    async def run() -> int:
        shutdown = Shutdown()
        shutdown.listen()
        try:
            return await _guarded(name, main, shutdown)
        finally:
            await shutdown.run()

    code = asyncio.run(run())
    # The watchdog goes on: threads that never end would keep the interpreter from ending.
    sys.exit(code)


async def _guarded(name: str, main: Callable[[Shutdown], Awaitable[int]], shutdown: Shutdown) -> int:
    try:
        return await main(shutdown)
    except ServiceError as error:
        log.error("service_failed", name=name, code=error.code, reason=error.message, hint=error.hint)
        return FAILED_EXIT_CODE
    except Exception as error:
        log.error("service_crashed", name=name, error=type(error).__name__, exc_info=error)
        return CRASHED_EXIT_CODE
