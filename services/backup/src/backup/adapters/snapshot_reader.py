"""Chunks of a snapshot, asked of its owner over the bus.

The trap: the owner may be gone, busy or wrong. A chunk is what its name says, or it is asked for again, a few times.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from shared.contracts.backups import ReadChunk
from shared.contracts.errors import Invalid, TimedOut
from shared.contracts.message import Message
from shared.contracts.snapshots import CHUNK_BYTES, digest
from shared.contracts.subjects import READ_CHUNK, command


class Requests(Protocol):
    """The part of shared.bus.Bus that is needed here."""

    async def request_bytes(self, subject: str, message: Message, *, timeout: float) -> bytes: ...


class BusSnapshotReader:
    """`timeout` in seconds for each try."""

    def __init__(self, bus: Requests, *, timeout: float = 10.0, tries: int = 3) -> None:
        self._bus = bus
        self._timeout = timeout
        self._tries = tries

    async def chunk(self, session: str, snapshot: str, sha256: str) -> bytes:
        for left in reversed(range(self._tries)):
            try:
                chunk = await self._ask(session, snapshot, sha256)
            except TimedOut:
                if not left:
                    raise
                continue
            if await asyncio.to_thread(_is, chunk, sha256):
                return chunk
        raise Invalid("the owner sent a chunk that is not what its name says", code="bad_chunk")

    async def _ask(self, session: str, snapshot: str, sha256: str) -> bytes:
        ask = ReadChunk(snapshot=snapshot, sha256=sha256)
        return await self._bus.request_bytes(command(READ_CHUNK, session), ask, timeout=self._timeout)


def _is(chunk: bytes, sha256: str) -> bool:
    return len(chunk) <= CHUNK_BYTES and digest(chunk) == sha256
