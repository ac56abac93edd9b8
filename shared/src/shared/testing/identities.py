"""Everybody's keys for tests: one key that every user has, so that one bus can play several services.

Tests of the keys themselves make their own, one for each user.
"""

from __future__ import annotations

import json
import os
from functools import cache

from nacl.public import PrivateKey

from shared.bus import BusOptions
from shared.bus.credentials import new_seed, public_key, raw_public_keys, raw_seed
from shared.contracts import registry
from shared.contracts.message import Identity
from shared.contracts.subjects import ServiceName

SEED = os.environ.get("NATS_NKEY_SEED") or new_seed()
"""A process that a test starts takes the seed of the test."""
OPENING_KEY = PrivateKey.generate()
PUBLIC_KEYS = dict.fromkeys((name.value for name in ServiceName), public_key(SEED))


class EveryUser(Identity):
    """Signs as whoever may write to the subject, as `user` where that is one of them. Private messages between two of
    this class are encrypted for the key that they share."""

    def __init__(self, user: str = ServiceName.GATEWAY.value) -> None:
        super().__init__(user, raw_seed(SEED), raw_public_keys(PUBLIC_KEYS))
        self._opening_key = OPENING_KEY

    def signer_for(self, subject: str) -> str:
        senders = registry.senders(subject)
        return self.user if self.user in senders else min(senders, default=self.user)

    def may_answer_to(self, _user: str, reply: str) -> bool:
        return reply.startswith("_INBOX.")

    def encrypt(self, data: bytes, key: str) -> bytes:
        return super().encrypt(data, key or self.command_key)


@cache
def every_user(user: str = ServiceName.GATEWAY.value) -> EveryUser:
    return EveryUser(user)


def options_for_tests(url: str, *, name: str = ServiceName.GATEWAY.value) -> BusOptions:
    """`name`: whose inbox receives the answers. A real service answers to an inbox of the user who asks."""
    return BusOptions(url=url, name=name, identity=every_user(name))


def bus_environment() -> dict[str, str]:
    """The settings of a service that believes `EveryUser`."""
    return {"NATS_NKEY_SEED": SEED, "BUS_KEYS": json.dumps(PUBLIC_KEYS)}
