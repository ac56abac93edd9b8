"""Follow the changes of the view, as long as a client listens."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from gateway.ports import View
from shared.clock import Clock


@dataclass(frozen=True)
class Changed:
    """The view has this version now."""

    version: int


@dataclass(frozen=True)
class Quiet:
    """Nothing changed for the length of a heartbeat."""


@dataclass(frozen=True)
class FollowStatus:
    view: View
    clock: Clock

    def __call__(
        self, *, heartbeat: float, at_most: float, allowed: Callable[[], bool] = lambda: True
    ) -> Generator[Changed | Quiet]:
        """The present version at once, then each change, and `Quiet` every `heartbeat` seconds. Ends after `at_most`
        seconds, when the gateway stops, or once the listener is no longer `allowed`."""
        end = self.clock.monotonic() + at_most
        seen = self.view.version()
        yield Changed(seen)
        next_heartbeat = self.clock.monotonic() + heartbeat
        while not self.view.stopping and self.clock.monotonic() < end:
            version = self.view.wait(seen, max(0.0, next_heartbeat - self.clock.monotonic()))
            if not allowed():
                return
            if version != seen:
                seen = version
                yield Changed(seen)
            if self.clock.monotonic() >= next_heartbeat:
                next_heartbeat = self.clock.monotonic() + heartbeat
                yield Quiet()
