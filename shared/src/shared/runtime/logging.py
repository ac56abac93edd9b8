"""How log lines look: JSON unless stderr is a terminal, constant event names, data in keys, no secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, cast

import structlog

from shared.contracts.foreign_text import escaped

from .redaction import redact

NOISY = (
    "aiohttp", "asyncio", "boto3", "botocore", "httpcore", "httpx", "nats", "playwright", "s3transfer", "urllib3",
    "werkzeug",
)  # fmt: skip
"""Libraries whose lines below a warning do not help an operator."""


def configure_logging(service: str, level: str) -> None:
    """Route structlog and the standard library through one formatter. `level`: debug, info, warning, error."""
    before = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _naming(service),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(before))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def get_logger() -> structlog.stdlib.BoundLogger:
    return cast(structlog.stdlib.BoundLogger, structlog.get_logger())


def _formatter(before: list[Any]) -> logging.Formatter:
    terminal = sys.stderr.isatty()
    # JSON escapes every control character on its own.
    rendered: list[Any] = (
        [_steer_no_terminal, structlog.dev.ConsoleRenderer()] if terminal else [structlog.processors.JSONRenderer()]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, *rendered],
    )


def _steer_no_terminal(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A text from outside can neither colour the terminal nor begin a line that looks like ours."""
    for name, value in event.items():
        if isinstance(value, str):
            lines = value if name == "exception" else value.replace("\n", "\\n")
            event[name] = escaped(lines)
    return event


def _naming(service: str) -> Any:
    def name(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event.setdefault("service", service)
        return event

    return name
