"""docs/configuration.md, from the table of services and the settings classes that the table names.

Some defaults differ on Railway; the document computes and shows both.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from persistent_session.services.description import Service
from persistent_session.services.settings_classes import settings_class
from persistent_session.services.table import SERVICES
from persistent_session.settings import SETTINGS
from shared.runtime import ServiceSettings
from shared.runtime.settings import RAILWAY_VARIABLES

_HEAD = """\
# Configuration

<!-- Written by `make docs` from the settings classes and the table of services. -->

Every setting is an environment variable. Times end in `_MS` and are milliseconds, sizes end in `_MB` (1 MB is 2²⁰
bytes). A secret `NAME` can also come as `NAME_FILE`, the path of a file that holds it. A process reports all wrong
settings at once, before it starts anything. [services.md](services.md) shows which process receives which secret.
"""
_COMMON = {
    "nats_url": "Address of NATS.",
    "nats_nkey_seed": "The service's own nkey seed: it proves the service to NATS and signs its messages.",
    "bus_keys": 'The public nkey of every service, as JSON: `{"gateway": "U…", …}`. Receivers believe nobody else.',
    "log_level": "debug, info, warning or error.",
    "http_host": "Address of the service's own `/health/live`, `/health/ready` and `/metrics`.",
    "http_port": "Port of these addresses; 0 takes a free port.",
    "metrics_token": "Bearer token for `/metrics` and the service's own `/health/ready`; without a token nobody may "
    "read them. `/health/live` needs none.",
    "instance": "Name of this instance in metrics, leases and telemetry.",
}
_INSTANCE = "host name and process id"


def document() -> str:
    return "\n".join([_HEAD, _local(), _common(), *map(_service, reversed(SERVICES))])


def _local() -> str:
    rows = [f"| `{setting.name}` | {setting.default} | {_cell(setting.meaning)} |" for setting in SETTINGS]
    return _section(
        "Local mode (`make up`, `make demo`)",
        "What the launcher itself reads. Every other setting below reaches the services unchanged, except addresses, "
        "ports and keys, which the launcher chooses and generates.",
        rows,
    )


def _common() -> str:
    rows = [_row(name, field, _COMMON.get(name, "")) for name, field in ServiceSettings.model_fields.items()]
    return _section("Every service", "", rows)


def _service(service: Service) -> str:
    fields = settings_class(service).model_fields
    rows = [_row(name, field, "") for name, field in fields.items() if name not in ServiceSettings.model_fields]
    return _section(service.name, f"{service.meaning[0].upper()}{service.meaning[1:]}.", rows)


def _section(title: str, text: str, rows: list[str]) -> str:
    table = ["| variable | default | meaning |", "|---|---|---|", *rows]
    return "\n".join([f"## {title}", "", *([text, ""] if text else []), *table, ""])


def _row(name: str, field: FieldInfo, meaning: str) -> str:
    return f"| `{'`, `'.join(_names(name, field))}` | {_default(name, field)} | {_meaning(field, meaning)} |"


def _names(name: str, field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    return [str(choice).upper() for choice in alias.choices] if isinstance(alias, AliasChoices) else [name.upper()]


def _meaning(field: FieldInfo, meaning: str) -> str:
    literal = get_origin(field.annotation) is Literal
    choices = [f"`{choice}`" for choice in get_args(field.annotation)] if literal else []
    text = field.description or meaning
    return _cell(f"{text[:1].upper()}{text[1:]}" + (f" One of {', '.join(choices)}." if choices else ""))


def _default(name: str, field: FieldInfo) -> str:
    if name == "instance":
        return _INSTANCE
    if field.is_required():
        return "required"
    plain, railway = _default_where(field, railway=False), _default_where(field, railway=True)
    return plain if plain == railway else f"{plain}; on Railway {railway}"


def _default_where(field: FieldInfo, *, railway: bool) -> str:
    """The default on a plain machine or on Railway, wherever this runs."""
    before = {name: os.environ.pop(name, None) for name in RAILWAY_VARIABLES}
    try:
        if railway:
            os.environ[RAILWAY_VARIABLES[0]] = "any"
        return _value(field.get_default(call_default_factory=True, validated_data={}))
    finally:
        os.environ.pop(RAILWAY_VARIABLES[0], None)
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _value(value: Any) -> str:
    if isinstance(value, SecretStr) or value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    relative = isinstance(value, Path) and not value.is_absolute()
    return f"`./{value}`" if relative else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
