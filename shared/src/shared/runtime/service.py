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
NOTICE_SECONDS = 2.0
"""How long `main` may take to notice a requested stop; after that it is cancelled."""

log = structlog.get_logger()


def run_service(name: str, main: Callable[[Shutdown], Awaitable[int]]) -> NoReturn:
    """Run `main` and end the process with the code that it returns.

    The phases of the shutdown that `main` has not run run after it, also when it raises. A ServiceError becomes one log
    line and code 1, every other exception code 70.
    """

    async def run() -> int:
        shutdown = Shutdown()
        shutdown.listen()
        try:
            return await _guarded(name, main, shutdown)
        finally:
            await shutdown.run()

    code = asyncio.run(run())
    # The watchdog stays on guard, because threads that never end would keep the interpreter from ending.
    sys.exit(code)


async def _code_of(main: Callable[[Shutdown], Awaitable[int]], shutdown: Shutdown) -> int:
    try:
        return await main(shutdown)
    except SystemExit as end:  # from load_settings; raised out of a task, SystemExit would tear down the loop
        return end.code if isinstance(end.code, int) else FAILED_EXIT_CODE


async def _until_requested(main: Callable[[Shutdown], Awaitable[int]], shutdown: Shutdown) -> int:
    work = asyncio.ensure_future(_code_of(main, shutdown))
    requested = asyncio.ensure_future(shutdown.requested.wait())
    await asyncio.wait({work, requested}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done() and shutdown.pending_phases == 0 and not shutdown.running:
        work.cancel()  # `main` is still starting, so there is nothing to stop in order
    await asyncio.wait({work}, timeout=NOTICE_SECONDS)
    if not work.done() and not shutdown.running:
        work.cancel()
    requested.cancel()
    await asyncio.wait({work})
    return 0 if work.cancelled() else work.result()


async def _guarded(name: str, main: Callable[[Shutdown], Awaitable[int]], shutdown: Shutdown) -> int:
    try:
        return await _until_requested(main, shutdown)
    except ServiceError as error:
        log.error("service_failed", name=name, code=error.code, reason=error.message, hint=error.hint)
        return FAILED_EXIT_CODE
    except Exception as error:
        log.error("service_crashed", name=name, error=type(error).__name__, exc_info=error)
        return CRASHED_EXIT_CODE
