"""docs/services.md, from the table of services."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import assert_never

from persistent_session.services.bus_users import BUS_USERS
from persistent_session.services.description import Greeting, HealthAddress, HttpAnswer, Port, Service
from persistent_session.services.table import SECRETS, TABLE

_HEAD = """\
# Services

<!-- Written by `make docs` from deploy/local/src/persistent_session/services/table.py. -->

Every process of the system, from the one table that the local supervisor plans from.

A process receives the secrets, connections, volumes and ports of its row and no others. Only a public port may be
reached from outside the system. Settings: [configuration.md](configuration.md).
"""


_KEYS_SHOWN = 2


def document() -> str:
    return "\n".join([_HEAD, _overview(), *map(_service, TABLE), _secrets(), _bus_users()])


def _overview() -> str:
    rows = [
        (service.name, service.meaning, service.stage, f"{service.stop_seconds:g} s", service.death_signal.name,
         "yes" if service.public else "no")
        for service in TABLE
    ]  # fmt: skip
    text = (
        "Processes of one start stage start together, after those of earlier stages. The stop goes one by one in the "
        "reverse order; each process has its time from SIGTERM to SIGKILL. The last signal is what a process receives "
        "when the local supervisor dies."
    )
    head = ("process", "meaning", "start stage", "stop time", "signal at the supervisor's death", "public")
    return _section("All processes", text, _table(head, rows))


def _service(service: Service) -> str:
    facts = [
        ("command", _code(" ".join(service.command))),
        ("health address", _health(service.health)),
        ("ports", "; ".join(map(_port, service.ports))),
        ("volumes", "; ".join(f"{volume.meaning}{_by(volume.variable)}" for volume in service.volumes)),
        ("connections", "; ".join(f"{each.port}{_by(each.variable)}" for each in service.connections)),
        ("secrets", "; ".join(f"{use.secret.name}{_by(use.variable)}" for use in service.secret_uses)),
        ("settings of the deployment", _codes(service.deployment_settings)),
        ("fixed variables", ", ".join(_code(f"{name}={value}") for name, value in service.environment.items())),
        ("settings module", _code(service.settings_module) if service.settings_module else ""),
    ]
    return _section(service.name, "", _table(("what", "value"), [fact for fact in facts if fact[1]]))


def _health(health: HealthAddress) -> str:
    match health.sign:
        case HttpAnswer(path=path, key=key, status=status):
            answer = "" if status == HTTPStatus.OK else f", which answers {status}"
            return f"{_code(path)} on port {health.port}{answer}" + (f", with {key.name}" if key else "")
        case Greeting(text=text):
            return f"greets with {_code(text.strip())} on port {health.port}"
        case _:
            assert_never(health.sign)


def _port(port: Port) -> str:
    public = " — **public**" if port.public else ""
    return f"{port.name}: {port.meaning}{_by(port.variable)}{public}; {_keys(port)}"


def _keys(port: Port) -> str:
    names = [key.name for key in port.keys]
    if len(names) > _KEYS_SHOWN:
        return f"a key of {len(names)}, one for each client"
    return f"key: {' and '.join(names)}" if names else "no key"


def _by(variable: str) -> str:
    return f" (`{variable}`)" if variable else ""


def _secrets() -> str:
    rows = [
        (
            _code(secret.name),
            secret.meaning,
            "generated" if secret.generated else "the operator, who may leave it out",
            ", ".join(service.name for service in TABLE if secret in [use.secret for use in service.secret_uses])
            or "the launcher alone",
        )
        for secret in SECRETS
    ]
    text = "The local mode keeps each generated secret in `DATA_DIR/keys`, in a file of this name."
    return _section("Secrets", text, _table(("secret", "meaning", "from", "for"), rows))


def _bus_users() -> str:
    rows = [
        (
            user,
            *map(_codes, (allowed.reads, allowed.writes, allowed.creates, allowed.publish, allowed.subscribe)),
            "yes" if allowed.replies else "no",
        )
        for user, allowed in BUS_USERS.items()
    ]
    head = ("user", "reads", "writes", "creates", "publishes", "subscribes", "replies to requests")
    text = (
        "Each service is a user of NATS under its own name, with an nkey of its own. Reads, writes and creates name "
        "buckets and streams. Everything else is denied; each user may subscribe to its own inbox alone."
    )
    return _section("Users of NATS", text, _table(head, rows))


def _codes(names: Iterable[str]) -> str:
    return ", ".join(map(_code, names))


def _section(title: str, text: str, table: str) -> str:
    return "\n".join([f"## {title}", "", *([text, ""] if text else []), table, ""])


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`"
