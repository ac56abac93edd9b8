"""Making HTTP answers: JSON, errors in the old clients' shape, the security headers."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response
from werkzeug.exceptions import HTTPException

from gateway.domain import old_shape
from gateway.domain.refusals import Busy, RateLimited
from shared.contracts.errors import ServiceError
from shared.runtime import get_logger

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_PLAIN = {
    400: ("the request cannot be read", "bad_request"),
    404: ("no such address", "not_found"),
    405: ("this address does not take that method", "method_not_allowed"),
    413: ("the body is larger than 64 KB", "too_large"),
}


def json_bytes(data: bytes, status: int = 200) -> Response:
    return Response(data, status, mimetype="application/json", headers={"Cache-Control": "no-store"})


def json(data: Any, status: int = 200) -> Response:
    return json_bytes(msgspec.json.encode(data), status)


def secure(response: Response) -> Response:
    """Add the headers that every answer carries."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def of_service_error(error: ServiceError) -> Response:
    response = json(old_shape.failure(error), error.http_status)
    if isinstance(error, RateLimited | Busy):
        response.headers["Retry-After"] = str(error.retry_after)
    elif error.http_status == 503:
        response.headers["Retry-After"] = "5"
    return response


def of_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400 and error.response is not None:
        return Response(status=status, headers=dict(error.get_headers()))
    text, code = _PLAIN.get(status, ("the request failed", "http_error"))
    response = json({"success": False, "error": text, "code": code, "hint": ""}, status)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def of_crash(error: Exception) -> Response:
    """Only the class goes out and into the log: the text of an unknown error may hold anything."""
    get_logger().error("request_crashed", error=type(error).__name__, where=_where(error))
    data = {"success": False, "error": "unexpected error in the gateway", "code": "internal", "hint": "see its log"}
    return json(data, 500)


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
