"""How long a login of the page lasts, and how people recognize it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.logins import LoginRecord

MOST_LOGINS = 100
"""At once. One more ends the login that was unused longest."""
USE_PRECISION = timedelta(minutes=1)
"""A use is recorded when the last one is so old, so that not every click is a write."""
_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip
"""What a User-Agent holds → the name. The first that fits counts, because browsers name those that they resemble."""


@dataclass(frozen=True)
class LoginRules:
    """`idle`: without a person's use for so long a login ends. `longest`: after that it ends in any case. `key_id`: of
    the present API key; a login of another key has ended."""

    idle: timedelta
    longest: timedelta
    key_id: str

    def ends_at(self, login: LoginRecord) -> datetime:
        return min(login.created_at + self.longest, login.seen_at + self.idle)

    def has_ended(self, login: LoginRecord, now: datetime) -> bool:
        return login.key_id != self.key_id or now >= self.ends_at(login)


def client_name(user_agent: str) -> str:
    """`Firefox · Windows`; "" for what is no known browser."""
    known = [_first(user_agent, names) for names in (_BROWSERS, _SYSTEMS)]
    return " · ".join(name for name in known if name)


def _first(user_agent: str, names: tuple[tuple[str, str], ...]) -> str:
    return next((name for mark, name in names if mark in user_agent), "")
