"""Everybody's keys for tests: one key that every user has, so that one bus can play several services.

Tests of the keys themselves make their own, one for each user.
"""

from __future__ import annotations

import json
import os
from functools import cache

from shared.bus import BusOptions
from shared.bus.credentials import new_seed, public_key, raw_public_keys, raw_seed
from shared.contracts import registry
from shared.contracts.message import Identity
from shared.contracts.subjects import ServiceName

SEED = os.environ.get("NATS_NKEY_SEED") or new_seed()
"""A process that a test starts takes the seed of the test."""
PUBLIC_KEYS = dict.fromkeys((name.value for name in ServiceName), public_key(SEED))


class EveryUser(Identity):
    """Signs as whoever may write to the subject. What it asks of itself is encrypted for itself."""

    def __init__(self) -> None:
        super().__init__("", raw_seed(SEED), raw_public_keys(PUBLIC_KEYS))

    def signer_for(self, subject: str) -> str:
        return min(registry.senders(subject), default=ServiceName.GATEWAY.value)

    def may_answer_to(self, _user: str, reply: str) -> bool:
        return reply.startswith("_INBOX.")

    def encrypt(self, data: bytes, key: str) -> bytes:
        return super().encrypt(data, key or self.command_key)


@cache
def every_user() -> EveryUser:
    """The same for all buses of a test process, so that they can read what is encrypted for one another."""
    return EveryUser()


def options_for_tests(url: str, *, name: str = ServiceName.GATEWAY.value) -> BusOptions:
    """`name`: whose inbox receives the answers. A real service answers to an inbox of the user who asks."""
    return BusOptions(url=url, name=name, identity=every_user())


def bus_environment() -> dict[str, str]:
    """The settings of a service that believes `EveryUser`."""
    return {"NATS_NKEY_SEED": SEED, "BUS_KEYS": json.dumps(PUBLIC_KEYS)}
