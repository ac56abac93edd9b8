"""Counts what one browser was refused, and names the hosts: few of them, each once in the log, never an address."""

from __future__ import annotations

from collections.abc import Callable

from browser_worker.domain.egress import Refusal, shown_host
from shared.runtime import get_logger

log = get_logger()

MOST_HOSTS = 20
"""Hosts that are named; a page could ask for thousands."""
_NAMED = frozenset({Refusal.HOST, Refusal.REPORTED, Refusal.ADDRESS, Refusal.NAVIGATION})


class Refusals:
    """`count` is told of each refusal."""

    def __init__(self, count: Callable[[Refusal], None] = lambda _: None) -> None:
        self._count = count
        self._seen: set[tuple[Refusal, str]] = set()
        self.begin_anew()

    def begin_anew(self) -> None:
        """A browser starts."""
        self.total = 0
        self.hosts: tuple[str, ...] = ()
        """Hosts that the page wanted, oldest first; a host that nobody wants is not among them."""

    def note(self, refusal: Refusal, host: str = "") -> None:
        self._count(refusal)
        self.total += refusal is not Refusal.UNWANTED
        name = shown_host(host)
        if (refusal, name) in self._seen or len(self._seen) >= MOST_HOSTS * len(Refusal):
            return
        self._seen.add((refusal, name))
        if refusal in _NAMED and name and name not in self.hosts and len(self.hosts) < MOST_HOSTS:
            self.hosts = (*self.hosts, name)
        if refusal is not Refusal.UNWANTED:
            log.warning("browser_refused", what=refusal.value, host=name)
