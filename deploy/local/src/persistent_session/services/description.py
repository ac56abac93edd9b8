"""The columns of the table of services. Pure data: no path, port number or address of any machine.

A platform (the local supervisor, a compose file) reads these descriptions and fills in what only it knows: the value
of each secret, the number of each port, the place of each volume.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A value that only the named services may know. `name` is the name of its file where it is kept in one."""

    name: str
    meaning: str
    generated: bool = True
    """The platform generates the secret at the first start. False: only the operator can give it, and may leave it."""


@dataclass(frozen=True, kw_only=True)
class SecretUse:
    """The environment variable by which a process receives a secret."""

    secret: Secret
    variable: str
    """"" for a program that takes the secret another way."""
    from_file: bool = True
    """The process also reads the secret from the file that `<variable>_FILE` names."""
    by_path: bool = False
    """The variable takes the path of the secret's file, and nothing else."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable by which the platform can give the secret."""
        if self.from_file and not self.by_path:
            return (self.variable, f"{self.variable}_FILE")
        return (self.variable,) if self.variable else ()


@dataclass(frozen=True, kw_only=True)
class Port:
    """A TCP port that a process listens on."""

    name: str
    """Unique in the whole table."""
    meaning: str
    variable: str = ""
    """The environment variable that takes the number; "" for a program that takes it another way."""
    host_variable: str = ""
    """The environment variable that takes the address to listen on."""
    keys: tuple[Secret, ...] = ()
    """What a client of the port must show one of. No key: the port answers everybody who reaches it."""
    public: bool = False
    """Clients outside the system connect to this port. Every other port stays inside."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How a process reaches a port of another one, and what it must know to be let in."""

    port: str
    variable: str
    """The environment variable that takes the address, `<scheme>://<host>:<number>`."""
    scheme: str = "http"
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further settings, with their values for the server of this table."""
    secrets: tuple[SecretUse, ...] = ()
    replaceable: bool = False
    """The operator may name a server of their own by these variables; the server of this table is then not started."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of all settings and secrets of the connection."""
        return (self.variable, *self.settings, *(use.variable for use in self.secrets))


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A folder that outlives the process."""

    name: str
    meaning: str
    variable: str = ""
    """The environment variable that takes the path; "" for a program that takes it another way."""


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """A GET of `path` answers `status` to whoever shows `key` as a bearer token."""

    path: str
    key: Secret | None = None
    """None: the path answers everybody."""
    status: int = 200
    """Another one where the process is ready and refuses whoever has no key."""


@dataclass(frozen=True, kw_only=True)
class Greeting:
    """The server speaks first: what it sends to a new client begins with `text`."""

    text: str


@dataclass(frozen=True, kw_only=True)
class HealthAddress:
    """`port` gives the `sign` once the process is ready."""

    port: str
    sign: HttpAnswer | Greeting
    seconds: float
    """How long a start may take."""
    required: bool = True
    """False: a late process is only reported. It waits for other processes and becomes ready once they are."""


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """What a user of NATS may do; everything else is denied, but each user may subscribe to its own inbox."""

    reads: tuple[str, ...] = ()
    """Buckets and streams that the user reads and follows."""
    writes: tuple[str, ...] = ()
    """Buckets that the user writes."""
    creates: tuple[str, ...] = ()
    """Buckets and streams that the user creates."""
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    replies: bool = False
    """The user may also publish to the reply subject of each request that it receives."""
    system: bool = False
    """The user belongs to NATS's system account, which knows of the server and sees no message of ours."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """One process of the system."""

    name: str
    meaning: str
    command: tuple[str, ...]
    """The program and its first arguments, the same on every platform."""
    health: HealthAddress
    stop_seconds: float
    """How long the process may take from SIGTERM to its end."""
    ports: tuple[Port, ...] = ()
    settings_module: str = ""
    """The module with the service's settings class, as a name, so that the launcher does not import the service. ""
    for a program of another project."""
    deployment_settings: tuple[str, ...] = ()
    """Settings whose value depends on where the system runs, so that the platform gives them."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables with the same value on every platform."""
    connections: tuple[Connection, ...] = ()
    secrets: tuple[SecretUse, ...] = ()
    """Secrets that belong to no connection."""
    volumes: tuple[Volume, ...] = ()
    permissions: Permissions | None = None
    """What the service may do on the bus, as the user of its own name; None for a process that is no client of it."""
    stage: int = 1
    """Processes of one stage start at the same time, after those of the stages before."""
    death_signal: signal.Signals = signal.SIGTERM
    """What the process receives when its supervisor dies. SIGKILL: the process loses nothing by a sudden end."""

    @property
    def public(self) -> bool:
        return any(port.public for port in self.ports)

    @property
    def secret_uses(self) -> tuple[SecretUse, ...]:
        """Every secret that the process receives."""
        return (*self.secrets, *(use for connection in self.connections for use in connection.secrets))

    @property
    def variables(self) -> frozenset[str]:
        """The names of all environment variables that the platform gives, those of secrets' files included."""
        return frozenset(self._variables())

    def _variables(self) -> Iterator[str]:
        yield from self.deployment_settings
        yield from self.environment
        for port in self.ports:
            yield from filter(None, (port.variable, port.host_variable))
        for volume in self.volumes:
            yield from filter(None, (volume.variable,))
        for connection in self.connections:
            yield from connection.variables
        for use in self.secret_uses:
            yield from use.variables
