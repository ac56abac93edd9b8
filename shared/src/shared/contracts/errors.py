"""The errors that cross the bus, as the tree that both sides raise.

ServiceError
 ├─ Refused          the request cannot be served as it is; trying again does not help
 │   ├─ Invalid      a field is missing or wrong                               (HTTP 400)
 │   ├─ NotConnected the session is not connected to WhatsApp                   (HTTP 409)
 │   ├─ Conflict     another writer was faster, or another command is under way  (HTTP 409)
 │   ├─ NotFound     no such session, backup or chunk                           (HTTP 404)
 │   └─ Fenced       an owner with a newer epoch exists                         (HTTP 409)
 └─ TryAgain         the same request may succeed later
     ├─ NotRunning   no process serves this command now                         (HTTP 503)
     ├─ Unavailable  the service has lost something that it needs (NATS, S3)     (HTTP 503)
     └─ TimedOut     no answer in time; the outcome is unknown                  (HTTP 504)
"""

from __future__ import annotations

from .message import Message


class ServiceError(Exception):
    """`code` is stable and meant for programs; `hint` tells an operator what to do. Neither holds secrets or phone
    numbers. `retryable`: whether the same request may succeed later."""

    code = "internal"
    http_status = 500
    retryable = False

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or type(self).code


class Refused(ServiceError):
    code = "refused"
    http_status = 409


class Invalid(Refused):
    code = "invalid"
    http_status = 400


class NotConnected(Refused):
    code = "not_connected"


class Conflict(Refused):
    code = "conflict"


class NotFound(Refused):
    code = "not_found"
    http_status = 404


class Fenced(Refused):
    code = "fenced"


class TryAgain(ServiceError):
    code = "try_again"
    http_status = 503
    retryable = True


class NotRunning(TryAgain):
    code = "not_running"


class Unavailable(TryAgain):
    code = "unavailable"


class TimedOut(TryAgain):
    code = "timed_out"
    http_status = 504


class ErrorReply(Message, frozen=True, kw_only=True, tag="wa.error.v1.reply"):
    """What a handler's error looks like on the bus; `kind` is the class in the tree above."""

    kind: str
    code: str
    message: str
    hint: str = ""


_KINDS: dict[str, type[ServiceError]] = {
    kind.__name__: kind
    for kind in (
        ServiceError, Refused, Invalid, NotConnected, Conflict, NotFound, Fenced,
        TryAgain, NotRunning, Unavailable, TimedOut,
    )
}  # fmt: skip


def to_reply(error: Exception) -> ErrorReply:
    """Any exception as a reply. A foreign exception shows only its class, because its text may hold anything."""
    if isinstance(error, ServiceError):
        return ErrorReply(kind=type(error).__name__, code=error.code, message=error.message, hint=error.hint)
    return ErrorReply(kind="ServiceError", code="internal", message=f"unexpected {type(error).__name__}")


def from_reply(reply: ErrorReply) -> ServiceError:
    """The error for the asking side to raise; an unknown kind becomes the base class."""
    return _KINDS.get(reply.kind, ServiceError)(reply.message, hint=reply.hint, code=reply.code)
