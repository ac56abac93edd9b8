"""The plan: the table of services, filled in for this machine.

Pure: from the table, settings, ports and the paths of files to a list of process specs. A service receives exactly the
secrets, ports and settings that its row of the table names. The trap: the user's environment reaches the services too,
so every variable that any row names is taken out of it first.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from persistent_session.services.description import (
    Connection,
    Greeting,
    HealthAddress,
    HttpAnswer,
    Port,
    Secret,
    SecretUse,
    Service,
    Volume,
)
from persistent_session.services.secrets import S3_TLS
from persistent_session.services.table import NATS_SERVICE, S3_SERVICE, SERVICES, STANDIN_SERVICE, TABLE
from persistent_session.settings import StackSettings
from persistent_session.stack import nats, seaweed
from persistent_session.stack.keys import Keys
from persistent_session.stack.readiness import AnswersHttp, Greets, Ready

MARK = "PERSISTENT_SESSION_STACK"
"""Every process of a system carries this variable with its data folder, so that stale processes can be found."""
LOOPBACK = "127.0.0.1"

_NOT_INHERITED = frozenset(
    {"INSTANCE", "DATA_DIR", "AWS_SESSION_TOKEN"}.union(*(service.variables for service in TABLE))
)
_FOR_OTHER_PROGRAMS = ("PATH", "LANG", "LC_ALL", "TZ")
"""All that a program of another project sees of the user's environment. Without HOME, SeaweedFS finds no settings of
the user's own there."""


@dataclass(frozen=True, kw_only=True)
class Programs:
    """The paths of the programs and files of other projects."""

    nats_server: str
    weed: str
    browser: str
    wa_js: str
    python: str = sys.executable

    def path(self, command: str) -> str:
        """The path of a program that the table of services names."""
        return {"python": self.python, "nats-server": self.nats_server, "weed": self.weed}[command]


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """What the supervisor must know to run one process."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    """The whole environment. It holds secrets, so it is never printed."""
    ready: Ready
    stop_seconds: float
    """From SIGTERM to SIGKILL."""
    stage: int = 1
    """Processes of one stage start at the same time, after those of the stages before."""
    death_signal: int = signal.SIGTERM
    """What the process receives when the supervisor dies."""
    folder: Path | None = None
    """The working directory; None for the supervisor's."""


def plan(
    settings: StackSettings,
    *,
    ports: Mapping[str, int],
    keys: Keys,
    programs: Programs,
    environ: Mapping[str, str],
) -> tuple[ProcessSpec, ...]:
    """The processes in the order of the table; they stop one by one in the reverse order."""
    planner = _Planner(settings=settings, ports=ports, keys=keys, programs=programs, environ=environ)
    return tuple(planner.spec(service) for service in TABLE if planner.runs_here(service))


def chosen_ports(*, demo: bool) -> tuple[str, ...]:
    """The names of the ports whose numbers the local mode chooses: all but the public one, which the user sets."""
    services = [service for service in TABLE if demo or service is not STANDIN_SERVICE]
    return tuple(port.name for service in services for port in service.ports if not port.public)


def volume_path(settings: StackSettings, volume: Volume) -> Path:
    placed = {"SESSION_PATH": settings.session_path, "BACKUP_SESSION_PATH": settings.backup_session_path}
    return placed[volume.variable] if volume.variable else settings.data.volume(volume.name)


def web_url(settings: StackSettings, ports: Mapping[str, int]) -> str:
    """The site to link with. In the demo the stand-in, whose address must stay: a profile belongs to its site."""
    return f"http://{LOOPBACK}:{ports['standin-web']}" if settings.demo else settings.whatsapp_web_url


def phone_url(settings: StackSettings, ports: Mapping[str, int]) -> str:
    """The page of the demo's virtual phone, which is locked without its key."""
    return f"{web_url(settings, ports)}/phone"


def standin_control_url(ports: Mapping[str, int]) -> str:
    return f"http://{LOOPBACK}:{ports['standin-control']}"


@dataclass(frozen=True, kw_only=True)
class _Planner:
    settings: StackSettings
    ports: Mapping[str, int]
    keys: Keys
    programs: Programs
    environ: Mapping[str, str]

    def runs_here(self, service: Service) -> bool:
        """The stand-in runs in the demo alone; a server that the user replaces by their own does not run."""
        if service is STANDIN_SERVICE:
            return self.settings.demo
        ports = {port.name for port in service.ports}
        return not any(
            connection.port in ports and self._is_replaced(connection)
            for client in SERVICES
            for connection in client.connections
        )

    def _is_replaced(self, connection: Connection) -> bool:
        """A demo never writes into the user's own object store."""
        return connection.replaceable and bool(self.environ.get(connection.variable)) and not self.settings.demo

    def spec(self, service: Service) -> ProcessSpec:
        program, *arguments = service.command
        return ProcessSpec(
            name=service.name,
            argv=(self.programs.path(program), *arguments, *self._arguments(service)),
            env=self._environment(service),
            ready=self._ready(service.health),
            stop_seconds=service.stop_seconds,
            stage=service.stage,
            death_signal=service.death_signal,
            folder=self.settings.data.temp if service is S3_SERVICE else None,
        )

    def _ready(self, health: HealthAddress) -> Ready:
        sign = health.sign
        given: AnswersHttp | Greets
        match sign:
            case HttpAnswer():
                key = self._value(sign.key) if sign.key else ""
                given = AnswersHttp(url=f"{self._address(health.port)}{sign.path}", key=key, status=sign.status)
            case Greeting():
                given = Greets(host=LOOPBACK, port=self.ports[health.port], text=sign.text)
            case _:
                assert_never(sign)
        return Ready(sign=given, seconds=health.seconds, required=health.required)

    def _arguments(self, service: Service) -> tuple[str, ...]:
        """What a program of another project, or the stand-in, takes on its command line; a service takes nothing."""
        if service in SERVICES:
            return ()
        data = self.settings.data
        return {
            NATS_SERVICE.name: ("-c", str(data.nats_config)),
            S3_SERVICE.name: seaweed.arguments(self._volume(S3_SERVICE), self.ports, self.keys.path(S3_TLS)),
            STANDIN_SERVICE.name: (
                "--state-dir", str(self._volume(STANDIN_SERVICE)), "--ready-file", str(data.standin_ready),
                "--port", str(self.ports.get("standin-web")),
                "--control-port", str(self.ports.get("standin-control")),
            ),
        }[service.name]  # fmt: skip

    def _volume(self, service: Service) -> Path:
        (volume,) = service.volumes
        return volume_path(self.settings, volume)

    def _environment(self, service: Service) -> dict[str, str]:
        env = self._inherited(service)
        data = self.settings.data
        env |= {MARK: str(data.path), "DATA_DIR": str(data.path), "TMPDIR": str(data.temp)}
        env |= service.environment
        env |= {name: self._deployment_setting(name) for name in service.deployment_settings}
        for port in service.ports:
            env |= self._port(port)
        for volume in service.volumes:
            env |= {volume.variable: str(volume_path(self.settings, volume))} if volume.variable else {}
        for connection in service.connections:
            env |= self._connection(connection)
        for use in service.secrets:
            env |= self._secret(use)
        if service is NATS_SERVICE:
            env |= {use.variable: nats.value(env[use.variable]) for use in service.secrets}
        if service is S3_SERVICE:
            env |= seaweed.environment(self.keys.path(S3_TLS))
        return env

    def _inherited(self, service: Service) -> dict[str, str]:
        """What the process sees of the user's environment."""
        if service not in SERVICES:
            found = {name: self.environ[name] for name in _FOR_OTHER_PROGRAMS if name in self.environ}
        else:
            found = {name: value for name, value in self.environ.items() if name not in _NOT_INHERITED}
            found = {"LOG_LEVEL": "info", **found}
        return found | ({"PYTHONUNBUFFERED": "1"} if service.command[0] == "python" else {})

    def _deployment_setting(self, name: str) -> str:
        settings = self.settings
        return {
            "BUS_KEYS": self._bus_keys(),
            "CLIENT_ID": settings.client_id,
            "SESSION_PATH": str(settings.session_path),
            "BACKUP_SESSION_PATH": str(settings.backup_session_path),
            "WHATSAPP_WEB_URL": web_url(settings, self.ports),
            "LEASE_POLICY": settings.lease_policy,
            "BROWSER_EXECUTABLE": self.programs.browser,
            "WA_JS_PATH": self.programs.wa_js,
        }[name]

    def _bus_keys(self) -> str:
        """The public keys of the services: nobody else sends anything that a service acts on."""
        keys = self.keys.bus_public_keys()
        return json.dumps({service.name: keys[service.name] for service in SERVICES})

    def _port(self, port: Port) -> dict[str, str]:
        host = self.settings.gateway_host if port.public else LOOPBACK
        number = self.settings.gateway_port if port.public else self.ports[port.name]
        named = {port.variable: str(number), port.host_variable: host}
        return {name: value for name, value in named.items() if name}

    def _connection(self, connection: Connection) -> dict[str, str]:
        if self._is_replaced(connection):
            return {name: value for each in connection.variables for name, value in self._given(each).items()}
        address = self._address(connection.port, scheme=connection.scheme)
        env = {connection.variable: address, **connection.settings}
        for use in connection.secrets:
            env |= self._secret(use)
        return env

    def _secret(self, use: SecretUse) -> dict[str, str]:
        """The file of a generated secret where the process reads files; what the user gave, of the others."""
        if not use.variable:
            return {}  # `_arguments` and `seaweed.environment` name it
        if use.secret in self.settings.given:
            return {use.variable: self.settings.given[use.secret]}
        if not use.secret.generated:
            return self._given(use.variable)
        if use.by_path:
            return {use.variable: str(self.keys.path(use.secret))}
        if use.from_file:
            return {f"{use.variable}_FILE": str(self.keys.path(use.secret))}
        return {use.variable: self.keys.read(use.secret)}

    def _value(self, secret: Secret) -> str:
        """A generated secret, or what the user gave in its place."""
        return self.settings.given.get(secret) or self.keys.read(secret)

    def _given(self, variable: str) -> dict[str, str]:
        """A setting or secret that the user gave, by its value or by its file."""
        return {name: self.environ[name] for name in (variable, f"{variable}_FILE") if name in self.environ}

    def _address(self, port: str, *, scheme: str = "http") -> str:
        return self.settings.gateway_url if port == "gateway" else f"{scheme}://{LOOPBACK}:{self.ports[port]}"
