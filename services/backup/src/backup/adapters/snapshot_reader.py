"""Pieces of a snapshot, asked of its owner over the bus.

The trap: the owner may be gone, busy or wrong. A piece is what its name says, or it is asked for again, a few times.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from shared.contracts.backups import ReadPiece
from shared.contracts.errors import Invalid, TimedOut
from shared.contracts.message import Message
from shared.contracts.snapshots import PIECE_BYTES, digest
from shared.contracts.subjects import READ_PIECE, command


class Requests(Protocol):
    """The part of shared.bus.Bus that is needed here."""

    async def request_bytes(self, subject: str, message: Message, *, timeout: float) -> bytes: ...


class BusSnapshotReader:
    """`timeout` in seconds for each try."""

    def __init__(self, bus: Requests, *, timeout: float = 10.0, tries: int = 3) -> None:
        self._bus = bus
        self._timeout = timeout
        self._tries = tries

    async def piece(self, session: str, snapshot: str, sha256: str) -> bytes:
        for left in reversed(range(self._tries)):
            try:
                piece = await self._ask(session, snapshot, sha256)
            except TimedOut:
                if not left:
                    raise
                continue
            if await asyncio.to_thread(_is, piece, sha256):
                return piece
        raise Invalid("the owner sent a piece that is not what its name says", code="bad_piece")

    async def _ask(self, session: str, snapshot: str, sha256: str) -> bytes:
        ask = ReadPiece(snapshot=snapshot, sha256=sha256)
        return await self._bus.request_bytes(command(READ_PIECE, session), ask, timeout=self._timeout)


def _is(piece: bytes, sha256: str) -> bool:
    return len(piece) <= PIECE_BYTES and digest(piece) == sha256
