"""Link a phone by its number: the worker asks WhatsApp for a pairing code."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.ports import Messenger, View
from shared.clock import Deadline
from shared.contracts.budgets import COMMAND_WAIT
from shared.contracts.commands import PAIR_PHONE, PairingCode, PairPhone
from shared.contracts.errors import Conflict
from shared.contracts.sessions import State


@dataclass(frozen=True)
class PairingCodeShown:
    """The code that a person types on the phone, and how long it is valid (seconds)."""

    code: str
    valid_seconds: int


@dataclass(frozen=True)
class PairByNumber:
    view: View
    messenger: Messenger

    def __call__(self, session: str, phone_number: str, deadline: Deadline) -> PairingCodeShown:
        """Raises Conflict (already_linked, not_pairing), NotConnected, WorkerGone, TimedOut."""
        observed = self.view.session(session).require_owner()
        if observed.state is State.CONNECTED:
            raise Conflict(
                "the session is already linked", code="already_linked", hint="clear it to link another phone"
            )
        if observed.state is not State.PAIRING:
            raise Conflict(
                f"the session is not waiting for a phone (state: {observed.state})",
                code="not_pairing",
                hint="initialize it and wait until it shows a QR code",
            )
        message = PairPhone(phone_number=phone_number)
        timeout = deadline.left(COMMAND_WAIT)
        answer = self.messenger.ask_owner(PAIR_PHONE, session, message, PairingCode, timeout=timeout)
        return PairingCodeShown(answer.code, answer.valid_seconds)
