"""Making HTTP answers: JSON, and the security headers that every answer carries."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response

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


def json_bytes(data: bytes, status: int = 200) -> Response:
    return Response(data, status, mimetype="application/json", headers={"Cache-Control": "no-store"})


def json(data: Any, status: int = 200) -> Response:
    return json_bytes(msgspec.json.encode(data), status)


def secure(response: Response) -> Response:
    """Add the headers that every answer carries."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response
