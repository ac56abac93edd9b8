"""A login of the page, as the gateways of one system share it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from .message import Instant, Message


class LoginRecord(Message, frozen=True, kw_only=True, tag="wa.login.v1.record"):
    """In LOGINS_BUCKET. `id`: a keyed digest of the cookie's secret, which nobody keeps. `key_id`: the API key and
    cookie secret that the login was made with; with others it counts for nothing. `seen_at`: the last time that a
    person used it, at most a minute late. `address` and `client` (browser and system) are personal: shown to the owner,
    never logged."""

    id: str
    key_id: str
    created_at: Instant
    seen_at: Instant
    address: str = ""
    client: str = ""

    def used(self, at: datetime) -> LoginRecord:
        return msgspec.structs.replace(self, seen_at=at)
