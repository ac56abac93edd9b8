"""Messages both ways: what devices send, how the server acknowledges it, and what waits for a device.

After a reconnect a page sends an unanswered message again, with the same id. The message is recorded once and
acknowledged each time.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from shared.clock import Clock
from standin.page_socket import PageSocket
from standin.settings import InjectedFaults
from standin.state_file import StateFile

DELIVERY_SECONDS = 0.05


class Mail:
    """Records and acknowledges what devices send; queues and delivers what is written to them."""

    def __init__(self, state: StateFile, clock: Clock, faults: Callable[[], InjectedFaults]) -> None:
        self._state = state
        self._clock = clock
        self._faults = faults
        self._later: set[asyncio.Task[None]] = set()

    def receive(self, page: PageSocket, message: dict[str, Any]) -> None:
        """A device sends a message."""
        faults = self._faults()
        id_ = str(message["id"])
        if faults.ack == "blackhole":
            return
        if faults.ack == "nack":
            page.send("nack", id=id_, code=479)
            return
        self._record(page, message)
        if faults.ack != "lost":
            wait = faults.ack_delay_ms / 1000 if faults.ack == "late" else 0.0
            self._soon(self._acknowledge(page, id_, str(message["to"]), wait))

    def arrive(self, device: int, *, sender: str, text: str) -> str:
        """Queue a message for a device until the page has confirmed it. Returns the message's id."""
        id_ = f"false_{sender}_3A{secrets.token_hex(9).upper()}"
        self._state.queue_incoming(device, id_=id_, sender=sender, body=text, at=self._at())
        return id_

    def deliver(self, page: PageSocket, device: int, *, offline: bool) -> None:
        """Send a page everything that waits for its device."""
        waiting = self._state.undelivered(device)
        if waiting:
            page.send("messages", messages=waiting, offline=offline)
        if offline:
            page.send("offline_done", count=len(waiting))

    def confirm(self, page: PageSocket, ids: list[str]) -> None:
        if page.device is not None:
            for id_ in ids:
                self._state.delivered(page.device, id_, at=self._at())

    def _record(self, page: PageSocket, message: dict[str, Any]) -> None:
        self._state.add_message(
            page.device or 0,
            id_=str(message["id"]),
            recipient=str(message["to"]),
            body=str(message["text"]),
            at=self._at(),
        )

    async def _acknowledge(self, page: PageSocket, id_: str, recipient: str, wait: float) -> None:
        if wait:
            await self._clock.sleep(wait)
        page.send("ack", id=id_, t=int(self._clock.now().timestamp()))
        await self._clock.sleep(DELIVERY_SECONDS)
        page.send("receipt", ids=[id_], kind="delivery", **{"from": recipient})

    def _soon(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def _at(self) -> str:
        return self._clock.now().isoformat(timespec="milliseconds")
