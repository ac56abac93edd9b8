"""Errors that only the public door raises; the rest of the tree is in `shared.contracts.errors`."""

from __future__ import annotations

from shared.contracts.errors import NotRunning, Refused, TryAgain


class Unauthorized(Refused):
    code = "unauthorized"
    http_status = 401


class Forbidden(Refused):
    """Known, but not allowed this way (CSRF, foreign origin)."""

    code = "forbidden"
    http_status = 403


class WorkerGone(NotRunning):
    """No live worker owns the session."""

    code = "worker_gone"


class RateLimited(TryAgain):
    """`retry_after`: whole seconds until the next request would pass."""

    code = "rate_limited"
    http_status = 429

    def __init__(self, message: str, *, retry_after: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Busy(TryAgain):
    """Too many streams or commands are open at once."""

    code = "busy"
    http_status = 503

    def __init__(self, message: str, *, retry_after: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
