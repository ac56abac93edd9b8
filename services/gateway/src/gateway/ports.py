"""What the use cases need from the world. Calls block the calling thread and end within their timeout (seconds)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from shared.contracts.logins import LoginRecord
from shared.contracts.message import Message
from shared.contracts.sessions import SessionRecord
from shared.contracts.subjects import Command

from .domain.observed import ObservedSession

R = TypeVar("R", bound=Message)


class View(Protocol):
    """The in-memory view of everything observed. Reading it never touches the bus."""

    def session(self, session: str) -> ObservedSession: ...

    def sessions(self) -> list[str]: ...

    def ready(self) -> tuple[bool, str]:
        """Whether the view is whole and live, and if not, why."""
        ...

    @property
    def bus_connected(self) -> bool: ...

    @property
    def loaded(self) -> bool:
        """True once the present state of all sessions was read; stays true."""
        ...

    def version(self) -> int:
        """Grows with every change that a reader would notice."""
        ...

    def wait(self, seen: int, timeout: float) -> int:
        """Block until the version is no longer `seen`, the timeout, or the stop. Returns the version then."""
        ...

    @property
    def stopping(self) -> bool:
        """True when the process is about to end and open streams must finish."""
        ...


class Messenger(Protocol):
    """Requests over the bus. Both methods raise the errors of shared.contracts.errors."""

    def request(self, subject: str, message: Message, reply: type[R], *, timeout: float) -> R: ...

    def ask_owner(
        self, command: Command, session: str, message: Message, reply: type[R], *, timeout: float, command_id: str = ""
    ) -> R:
        """Ask the session's owner. Raises WorkerGone when no worker serves the session."""
        ...


class DesiredStates(Protocol):
    """The records of what people want of each session."""

    def read(self, session: str, *, timeout: float) -> tuple[SessionRecord | None, int]:
        """The record and its revision; (None, 0) when there is none. Raises Unavailable, TimedOut."""
        ...

    def write(self, record: SessionRecord, revision: int, *, timeout: float) -> None:
        """Write over `revision`, which is 0 for a new record. Raises Conflict when another writer came first."""
        ...


class Logins(Protocol):
    """The logins of the page that last, shared by all gateways of a system."""

    def find(self, login_id: str) -> LoginRecord | None:
        """None when there is none, or when it has ended. Raises TryAgain when neither this gateway nor NATS can tell:
        unknown is not logged in, and not logged out."""
        ...

    def all(self) -> list[LoginRecord]:
        """Raises Unavailable until NATS has shown them once."""
        ...

    def add(self, login: LoginRecord, *, timeout: float) -> bool:
        """Counts at once here. True when NATS, and so every gateway, knows it too; else NATS is told later."""
        ...

    def use(self, login: LoginRecord) -> None:
        """Record `seen_at` of a login that still lasts."""
        ...

    def end(self, login_ids: Iterable[str], *, timeout: float) -> bool:
        """Ends them here at once. True when NATS, and so every gateway, knows it too; else NATS is told later."""
        ...


class QrImages(Protocol):
    def png(self, text: str) -> bytes: ...

    def svg(self, text: str) -> bytes: ...

    def data_url(self, text: str) -> str: ...
