"""The one way out of a browser: a SOCKS5 proxy on loopback that lets through what `domain/egress.py` allows.

Chromium sends everything through its proxy, the page's requests and its own alike, and leaves the names unresolved. So
one place decides for fetches, websockets, workers, prefetches and background traffic, and connects to the very address
that it has checked, which no DNS answer can change afterwards. What Chromium does not send through a proxy, UDP, a flag
turns off (`launch_flags.py`).

Other users of the machine can reach the port too. A connection that belongs to another user is closed unanswered.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from aiohappyeyeballs import AddrInfoType, start_connection

from browser_worker.adapters.browser import egress_connections
from browser_worker.adapters.browser.refusals import Refusals
from browser_worker.domain.egress import Egress, Refusal
from shared.runtime import get_logger

Dial = Callable[[str, int, Callable[[str], bool]], Awaitable[socket.socket | None]]
"""Connects to a host and port, at an address that the given rule allows; None when it allows none. Raises OSError."""

log = get_logger()

HOST = "127.0.0.1"
REQUEST_SECONDS = 10.0
CONNECT_SECONDS = 15.0
ATTEMPT_SECONDS = 0.25
"""Between the attempts at two addresses of a host, so that a dead IPv6 route costs little."""
_BYTES = 64 * 1024
_DONE = b"\x05\x00\x00\x01" + bytes(6)
_FAILED = b"\x05\x01\x00\x01" + bytes(6)
"""Chromium makes no difference between the failures that SOCKS knows."""
_TCP_TABLE = Path("/proc/net/tcp")


async def dial(host: str, port: int, allowed: Callable[[str], bool]) -> socket.socket | None:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses: list[AddrInfoType] = [each for each in found if allowed(str(each[4][0]))]
    if not addresses:
        return None
    return await start_connection(addresses, happy_eyeballs_delay=ATTEMPT_SECONDS)


class EgressProxy:
    """Serves from `start` to `close`, on a port of its own. Belongs to the event loop that starts it."""

    def __init__(self, egress: Egress, refusals: Refusals, dial: Dial = dial) -> None:
        self._egress = egress
        self._refusals = refusals
        self._dial = dial
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Raises OSError."""
        self.close()
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Idempotent; cuts what is under way."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in self._clients:
            client.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = asyncio.ensure_future(self._serve(reader, writer))
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._pass_on(reader, writer)
        except (OSError, EOFError, TimeoutError):
            return  # a connection that breaks is its two ends' affair
        except Exception as error:
            log.warning("egress_failed", error=type(error).__name__)
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not _is_ours(writer.get_extra_info("peername")):
            return
        async with asyncio.timeout(REQUEST_SECONDS):
            wanted = await _request(reader, writer)
        if wanted is None:
            return
        connection = await self._connect(*wanted)
        if connection is None:
            writer.write(_FAILED)
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection(sock=connection)
        try:
            writer.write(_DONE)
            await _relay(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.close()

    async def _connect(self, host: str, port: int) -> socket.socket | None:
        refusal = self._egress.refusal(host, port)
        if refusal is not None:
            self._refusals.note(refusal, host)
        if refusal not in (None, Refusal.REPORTED):
            return None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                found = await self._dial(host, port, lambda at: self._egress.allows_address(host, port, at))
        except (OSError, TimeoutError, UnicodeError):
            return None
        if found is None:
            self._refusals.note(Refusal.ADDRESS, host)
            return None
        egress_connections.mark(found)
        return found


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
    """Host and port of a CONNECT request (RFC 1928), which Chromium always makes by name. None for anything else."""
    version, methods = await reader.readexactly(2)
    if version != 5 or 0 not in await reader.readexactly(methods):
        return None
    writer.write(b"\x05\x00")
    if await reader.readexactly(4) != b"\x05\x01\x00\x03":
        return None
    name = await reader.readexactly((await reader.readexactly(1))[0])
    port = int.from_bytes(await reader.readexactly(2), "big")
    return name.decode("ascii", "replace"), port


async def _relay(*copies: Coroutine[None, None, None]) -> None:
    """Until the first of the two ends: a browser that is gone is gone for the other side too, at once."""
    tasks = [asyncio.ensure_future(copy) for copy in copies]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_BYTES):
        writer.write(data)
        await writer.drain()


def _is_ours(peer: tuple[str, int]) -> bool:
    """Whether the other end of a connection on loopback belongs to this user. A kernel that does not tell is
    believed to serve one user, as a container does."""
    address = f"{int.from_bytes(socket.inet_aton(peer[0]), sys.byteorder):08X}:{peer[1]:04X}"
    try:
        rows = [line.split() for line in _TCP_TABLE.read_text().splitlines()[1:]]
    except OSError:
        return True
    return any(row[1] == address and int(row[7]) == os.geteuid() for row in rows)
