"""Chunks of a snapshot, requested from its owner over the bus.

The owner may be gone, busy or wrong: a chunk whose hash is not its name is requested again, a few times.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from shared.contracts.backups import READ_CHUNK, FailureCode, ReadChunk
from shared.contracts.errors import Invalid, TimedOut
from shared.contracts.message import Message
from shared.contracts.snapshots import CHUNK_BYTES, digest
from shared.contracts.subjects import command


class Requests(Protocol):
    """The part of shared.bus.Bus that this adapter uses."""

    async def request_bytes(self, subject: str, message: Message, *, timeout: float) -> bytes: ...


class BusSnapshotReader:
    """`timeout` in seconds, for each of `tries` requests."""

    def __init__(self, bus: Requests, *, timeout: float = 10.0, tries: int = 3) -> None:
        self._bus = bus
        self._timeout = timeout
        self._tries = tries

    async def chunk(self, session: str, snapshot: str, sha256: str) -> bytes:
        for left in reversed(range(self._tries)):
            try:
                chunk = await self._request(session, snapshot, sha256)
            except TimedOut:
                if not left:
                    raise
                continue
            if await asyncio.to_thread(_matches, chunk, sha256):
                return chunk
        raise Invalid("the owner sent a chunk that is not what its name says", code=FailureCode.BAD_CHUNK)

    async def _request(self, session: str, snapshot: str, sha256: str) -> bytes:
        request = ReadChunk(snapshot=snapshot, sha256=sha256)
        return await self._bus.request_bytes(command(READ_CHUNK, session), request, timeout=self._timeout)


def _matches(chunk: bytes, sha256: str) -> bool:
    return len(chunk) <= CHUNK_BYTES and digest(chunk) == sha256
