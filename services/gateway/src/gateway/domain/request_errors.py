"""The errors that only the gateway raises. The rest of the tree is in `shared.contracts.errors`."""

from __future__ import annotations

from shared.contracts.errors import NotRunning, Refused, ServiceError, TryAgain


class Unauthorized(Refused):
    """The request carries no valid key and no valid login."""

    code = "unauthorized"
    http_status = 401


class Forbidden(Refused):
    """The sender is known, but the request may not come this way (CSRF, foreign origin)."""

    code = "forbidden"
    http_status = 403


class KeyReused(Refused):
    """The Idempotency-Key belongs to another request."""

    code = "idempotency_key_reused"
    http_status = 422


class WorkerGone(NotRunning):
    """No live worker owns the session."""

    code = "worker_gone"


class SendFailed(ServiceError):
    """WhatsApp refused the message."""

    code = "send_failed"
    http_status = 502


class RateLimited(TryAgain):
    """`retry_after`: whole seconds until the next request would pass."""

    code = "rate_limited"
    http_status = 429

    def __init__(self, message: str, *, retry_after: int, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after = retry_after


class Busy(TryAgain):
    """Too many streams or commands are open at once. `retry_after`: whole seconds."""

    code = "busy"
    http_status = 503

    def __init__(self, message: str, *, retry_after: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
