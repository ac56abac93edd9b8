"""docs/configuration.md, written from the settings themselves.

Trap: some defaults are computed where a service runs (host, Railway); they are written as on a plain machine.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from persistent_session.settings import SETTINGS
from shared.runtime import ServiceSettings

_SERVICES = {
    "gateway": "the only public door: REST, events, the page",
    "browser_worker": "owns browsers, profiles and snapshots",
    "backup": "encrypted backups in S3",
    "health": "checks, verdict, recommendations",
}
_HEAD = """\
# Configuration

Every setting is an environment variable. This page is written by `make docs` from the code. Times end in `_MS` and are
milliseconds, sizes end in `_MB`. A secret `NAME` can also come as `NAME_FILE`, the path of a file that holds it. All
faults are told at once, before anything starts.
"""
_COMMON = {
    "nats_url": "Address of NATS.",
    "nats_nkey_seed": "The service's own nkey seed; without one it connects without credentials.",
    "log_level": "debug, info, warning or error.",
    "http_host": "Address of the service's own `/health/live`, `/health/ready` and `/metrics`.",
    "http_port": "Their port; 0 takes a free one.",
    "instance": "Name of this instance in metrics, leases and telemetry.",
}
_COMPUTED = {
    "instance": "host name and process id",
    "trusted_proxies": "`0`; on Railway `1`",
    "session_path": "`./persistent-session`; on Railway `/app/persistent-session`",
    "backup_session_path": "`./session-backup`; on Railway `/tmp/session-backup`",
}


def document() -> str:
    return "\n".join([_HEAD, _local(), _common(), *(_service(*about) for about in _SERVICES.items())])


def _local() -> str:
    rows = [f"| `{setting.name}` | {setting.default} | {_cell(setting.meaning)} |" for setting in SETTINGS]
    return _section(
        "Local mode (`make up`, `make demo`)",
        "What the supervisor itself reads. Every other setting below reaches the services unchanged, except addresses, "
        "ports and keys: those it chooses and makes.",
        rows,
    )


def _common() -> str:
    rows = [_row(name, field, _COMMON.get(name, "")) for name, field in _fields(ServiceSettings)]
    return _section("Every service", "", rows)


def _service(module: str, meaning: str) -> str:
    kind = settings_of(module)
    rows = [_row(name, field, "") for name, field in _fields(kind) if name not in ServiceSettings.model_fields]
    return _section(f"{module.replace('_', '-')}", f"{meaning[0].upper()}{meaning[1:]}.", rows)


def settings_of(module: str) -> type[ServiceSettings]:
    """The settings class of a service, found in its module `settings`."""
    found = importlib.import_module(f"{module}.settings")
    kinds = [kind for _, kind in inspect.getmembers(found, inspect.isclass) if kind.__module__ == found.__name__]
    return next(kind for kind in kinds if issubclass(kind, ServiceSettings))


def _fields(kind: type[ServiceSettings]) -> Iterator[tuple[str, FieldInfo]]:
    yield from kind.model_fields.items()


def _section(title: str, text: str, rows: list[str]) -> str:
    table = ["| variable | default | meaning |", "|---|---|---|", *rows]
    return "\n".join([f"## {title}", "", *([text, ""] if text else []), *table, ""])


def _row(name: str, field: FieldInfo, meaning: str) -> str:
    return f"| `{'`, `'.join(_names(name, field))}` | {_default(name, field)} | {_meaning(field, meaning)} |"


def _names(name: str, field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    return [str(choice).upper() for choice in alias.choices] if isinstance(alias, AliasChoices) else [name.upper()]


def _meaning(field: FieldInfo, meaning: str) -> str:
    choices = (
        [f"`{choice}`" for choice in get_args(field.annotation)] if get_origin(field.annotation) is Literal else []
    )
    text = field.description or meaning
    return _cell(f"{text[:1].upper()}{text[1:]}" + (f" One of {', '.join(choices)}." if choices else ""))


def _default(name: str, field: FieldInfo) -> str:
    if name in _COMPUTED:
        return _COMPUTED[name]
    if field.is_required():
        return "required"
    return _value(field.get_default(call_default_factory=True, validated_data={}))


def _value(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "none"
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    path = isinstance(value, Path) and not value.is_absolute()
    return f"`./{value}`" if path else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
