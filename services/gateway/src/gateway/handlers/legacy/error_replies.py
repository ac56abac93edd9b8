"""Errors as HTTP answers in the old clients' shape, for every address of the gateway."""

from __future__ import annotations

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from gateway.domain.request_errors import Busy, RateLimited
from gateway.handlers import replies
from shared.contracts.errors import ServiceError
from shared.runtime import get_logger

from . import serializer

_TEXTS = {
    400: ("the request cannot be read", "bad_request"),
    404: ("no such address", "not_found"),
    405: ("this address does not take that method", "method_not_allowed"),
    408: ("the request did not arrive in time", "too_slow"),
    413: ("the body is larger than 64 KB", "too_large"),
    414: ("the address is too long", "address_too_long"),
    417: ("the expectation cannot be met", "expectation_failed"),
    431: ("the headers are too large", "headers_too_large"),
    501: ("the transfer coding is unknown", "unknown_coding"),
    503: ("too many connections are open", "busy"),
}
RETRY_AFTER_SECONDS = 5
"""Where the error itself does not know when trying again may help."""


def install(app: Flask) -> None:
    app.register_error_handler(ServiceError, of_service_error)
    app.register_error_handler(HTTPException, of_http_error)
    app.register_error_handler(Exception, of_crash)


def of_service_error(error: ServiceError) -> Response:
    response = replies.json(serializer.failure(error), error.http_status)
    if isinstance(error, RateLimited | Busy):
        response.headers["Retry-After"] = str(error.retry_after)
    elif error.http_status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def of_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400 and error.response is not None:
        return Response(status=status, headers=dict(error.get_headers()))
    response = _of_status(status)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def of_status(status: int) -> Response:
    """For a request that never reached the application, with the headers that every answer carries."""
    response = _of_status(status)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return replies.secure(response)


def _of_status(status: int) -> Response:
    text, code = _TEXTS.get(status, ("the request failed", "http_error"))
    return replies.json({"success": False, "error": text, "code": code, "hint": ""}, status)


def of_crash(error: Exception) -> Response:
    """Only the class of an unknown error goes out and into the log, because its text may hold anything."""
    get_logger().error("request_crashed", error=type(error).__name__, where=_where(error))
    data = {"success": False, "error": "unexpected error in the gateway", "code": "internal", "hint": "see its log"}
    return replies.json(data, 500)


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
