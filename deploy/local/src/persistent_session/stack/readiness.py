"""Whether a process is ready: a few ways to ask, one type each, tried until one time limit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import assert_never

import httpx

from shared.clock import Clock

ASK_SECONDS = 2.0
ASK_INTERVAL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class AnswersHttp:
    """A GET of `url` answers `status`."""

    url: str
    key: str = field(default="", repr=False)
    """Shown as a bearer token."""
    status: int = httpx.codes.OK


@dataclass(frozen=True, kw_only=True)
class Greets:
    """The server at `host` and `port` sends `text` to a new client."""

    host: str
    port: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Ready:
    """When a process counts as started: once it gives the `sign`. Where `required` is false a late one is only
    reported."""

    sign: AnswersHttp | Greets
    seconds: float
    required: bool = True


async def becomes_ready(ready: Ready, clock: Clock) -> bool:
    """Whether the process gave its sign within its time."""
    until = clock.monotonic() + ready.seconds
    async with httpx.AsyncClient(timeout=ASK_SECONDS, trust_env=False) as http:
        while clock.monotonic() < until:
            if await _is_given(ready.sign, http):
                return True
            await clock.sleep(ASK_INTERVAL_SECONDS)
    return False


async def _is_given(sign: AnswersHttp | Greets, http: httpx.AsyncClient) -> bool:
    match sign:
        case AnswersHttp():
            return await _answers(sign, http)
        case Greets():
            return await _greets(sign)
        case _:
            assert_never(sign)


async def _answers(sign: AnswersHttp, http: httpx.AsyncClient) -> bool:
    headers = {"Authorization": f"Bearer {sign.key}"} if sign.key else {}
    with suppress(httpx.HTTPError):
        return (await http.get(sign.url, headers=headers)).status_code == sign.status
    return False


async def _greets(sign: Greets) -> bool:
    expected = sign.text.encode()
    with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        async with asyncio.timeout(ASK_SECONDS):
            reader, writer = await asyncio.open_connection(sign.host, sign.port)
            try:
                return await reader.readexactly(len(expected)) == expected
            finally:
                writer.close()
    return False
