"""Commands from the bus to a session that this worker owns: decode the message, call the session, answer."""

from __future__ import annotations

import asyncio

from shared.bus import Bus, Call, Subscription
from shared.clock import Clock
from shared.contracts import subjects
from shared.contracts.backups import READ_CHUNK, ReadChunk
from shared.contracts.budgets import REPLY_MARGIN, SEND_SECONDS
from shared.contracts.commands import (
    ASK_COMMAND,
    BACK_UP_NOW,
    CHECK,
    PAIR_PHONE,
    RESTORE_NOW,
    SEND_TEST,
    Accepted,
    AskCommand,
    BackedUp,
    BackUpNow,
    Check,
    Checked,
    PairingCode,
    PairPhone,
    RestoreNow,
    SendResult,
    SendTest,
)
from shared.contracts.errors import Invalid
from shared.contracts.identifiers import BadIdentifier, message_text, phone_number
from shared.contracts.subjects import Command

from .ports import SessionControl


class SessionCommands:
    """Serves one session's commands while it is owned."""

    def __init__(self, bus: Bus, session: str, control: SessionControl, clock: Clock) -> None:
        self._bus = bus
        self._session = session
        self._control = control
        self._clock = clock
        self._served: list[Subscription] = []

    async def start(self) -> None:
        def at(command: Command) -> str:
            return subjects.command(command, self._session)

        serve = self._bus.serve
        self._served = [
            await serve(at(CHECK), Check, self._check),
            await serve(at(PAIR_PHONE), PairPhone, self._pair_phone),
            await serve(at(SEND_TEST), SendTest, self._send_test),
            await serve(at(ASK_COMMAND), AskCommand, self._command_status),
            await serve(at(BACK_UP_NOW), BackUpNow, self._back_up),
            await serve(at(RESTORE_NOW), RestoreNow, self._restore),
            await serve(at(READ_CHUNK), ReadChunk, self._read_chunk),
        ]

    async def stop(self) -> None:
        """Take no new commands, and finish those under way."""
        served, self._served = self._served, []
        await asyncio.gather(*(subscription.stop() for subscription in served))

    async def _check(self, message: Check, _call: Call) -> Checked:
        return await self._control.check(back_up=message.back_up)

    async def _pair_phone(self, message: PairPhone, _call: Call) -> PairingCode:
        return await self._control.pair_phone(_valid_number(message.phone_number))

    async def _send_test(self, message: SendTest, call: Call) -> SendResult:
        try:
            text = message_text(message.text)
        except BadIdentifier as error:
            raise Invalid(str(error)) from error
        return await self._control.sender.send(
            call.command_id, _valid_number(message.phone_number), text, timeout=self._time_left(call)
        )

    async def _command_status(self, message: AskCommand, _call: Call) -> SendResult:
        return await self._control.sender.status(message.command_id)

    async def _back_up(self, _message: BackUpNow, _call: Call) -> BackedUp:
        return await self._control.back_up()

    async def _restore(self, message: RestoreNow, _call: Call) -> Accepted:
        await self._control.restore(message.backup_id)
        return Accepted(detail="the restore has begun")

    async def _read_chunk(self, message: ReadChunk, _call: Call) -> bytes:
        return await self._control.read_chunk(message.snapshot, message.sha256)

    def _time_left(self, call: Call) -> float:
        if call.deadline is None:
            return SEND_SECONDS
        left = (call.deadline - self._clock.now()).total_seconds() - REPLY_MARGIN
        return max(0.5, min(SEND_SECONDS, left))


def _valid_number(text: str) -> str:
    try:
        return phone_number(text)
    except BadIdentifier as error:
        raise Invalid(str(error)) from error
