"""What a receiver takes: messages that were addressed to it, signed by a user who may send them, and not sent before.

The permissions of NATS decide who may publish where, but a message can arrive without having been published there:
JetStream delivers what a stream holds to any subject that the maker of a consumer names, and a server answers to any
reply subject that the asker names. So the place where a message arrives proves nothing, and the signature does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from shared.clock import Clock
from shared.contracts.message import SIGNATURE, Identity, Unverified
from shared.contracts.registry import senders
from shared.contracts.subjects import matches

from .repeat_filter import RepeatFilter
from .transport import Incoming

FORGET_EVERY = timedelta(seconds=1)

log = structlog.get_logger()


class Gate:
    """Refusals are counted, and each kind is logged once for each place, without contents. Faults: `unverified` (the
    signature), `misaddressed` (the subject, or where the answer should go), `replayed`."""

    def __init__(self, identity: Identity, counts: Counter[str], clock: Clock) -> None:
        self.identity = identity
        self.counts = counts
        self._clock = clock
        self._logged = RepeatFilter()
        self._requests: dict[str, datetime] = {}
        """Signatures of the requests that were taken, until their deadline."""
        self._forget_at = clock.now()

    def takes(self, served: str, incoming: Incoming) -> bool:
        """Whether a message belongs to the subscription of `served`."""
        return self._sender(served, incoming) is not None

    def takes_request(self, served: str, incoming: Incoming, deadline: datetime | None) -> bool:
        """As `takes`; an answer must also go to an inbox of the user who asks, and a request is taken once."""
        user = self._sender(served, incoming)
        if user is None:
            return False
        if not self.identity.may_answer_to(user, incoming.reply):
            return self._refuse("misaddressed", served, f"the answer should not go to {user}")
        if deadline is None:
            return self._refuse("unverified", served, "a request without a deadline")
        if not self._is_new(incoming.headers[SIGNATURE], deadline):
            return self._refuse("replayed", served, f"sent by {user} before")
        return True

    def believes(self, subject: str, headers: Mapping[str, str], data: bytes, *, where: str) -> bool:
        """Whether a user who may write to `subject` has signed this. `where`: what the log names."""
        try:
            self.check(subject, headers, data)
        except Unverified as error:
            return self._refuse("unverified", where, str(error))
        return True

    def check(self, subject: str, headers: Mapping[str, str], data: bytes) -> str:
        """The user who has signed. Raises Unverified."""
        user = self.identity.verified_sender(subject, headers, data)
        if user not in senders(subject):
            raise Unverified(f"{user} may not send this")
        return user

    def _sender(self, served: str, incoming: Incoming) -> str | None:
        if not matches(served, incoming.subject):
            self._refuse("misaddressed", served, "another subject is served here")
            return None
        try:
            return self.check(incoming.subject, incoming.headers, incoming.data)
        except Unverified as error:
            self._refuse("unverified", served, str(error))
            return None

    def _is_new(self, signature: str, deadline: datetime) -> bool:
        now = self._clock.now()
        if now >= self._forget_at:
            self._requests = {each: ends for each, ends in self._requests.items() if ends >= now}
            self._forget_at = now + FORGET_EVERY
        if signature in self._requests:
            return False
        self._requests[signature] = deadline
        return True

    def _refuse(self, fault: str, where: str, detail: str) -> bool:
        self.counts[fault] += 1
        if self._logged.is_new(fault, where, detail):
            log.error("message_refused", fault=fault, where=where, detail=detail)
        return False
