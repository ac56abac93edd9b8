"""How to reach NATS, and as whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from shared.contracts.message import Identity, inbox_of


@dataclass(frozen=True)
class BusOptions:
    """`nkey_seed`: secret text of a user's nkey, "" without credentials. `name`: the service's, such as browser-worker.
    `identity`: signs what is sent and checks what is received; without it the bus does neither, and nothing but the
    set-up of the streams works. `inbox_prefix`: the user's own, so that no other user can read its replies; "" means
    `inbox_prefix(name)`."""

    url: str
    nkey_seed: str = field(default="", repr=False)
    name: str = "persistent-session"
    inbox_prefix: str = ""
    identity: Identity | None = field(default=None, repr=False)

    @property
    def inbox(self) -> str:
        return self.inbox_prefix or inbox_prefix(self.name)


def inbox_prefix(name: str) -> str:
    """`gateway` and `gateway host-12` → `_INBOX.gateway`; the permissions of each user name its prefix."""
    return inbox_of(re.split(r"[^A-Za-z0-9_-]", name)[0])
