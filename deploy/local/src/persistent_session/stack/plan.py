"""Which processes make a system, what each is told, and in which order they start and stop.

Pure: from settings, ports and the places of files to a list. Each service gets the secrets it needs and no others: the
worker has no S3 key and no master key, only the gateway has the API key. Trap: the environment of the user reaches the
services, so every name that the plan owns is taken out of it first.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from persistent_session.settings import StackSettings
from persistent_session.stack import seaweed
from persistent_session.stack.secrets import (
    API_KEY,
    COOKIE_SECRET,
    MASTER_KEY,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    Keys,
    seed_name,
)

STANDIN = "stand-in"
NATS = "nats"
S3 = "s3"
BACKUP = "backup"
HEALTH = "health"
WORKER = "browser-worker"
GATEWAY = "gateway"

PORTS = ("nats", "nats-monitor", *seaweed.PORTS, "backup-http", "health-http", "worker-http", "gateway-http")
STANDIN_PORTS = ("standin-web", "standin-control")

MARK = "PERSISTENT_SESSION_STACK"
"""Every process of a system carries this name with its data folder, so that those of a killed run can be found."""

_SECRETS = (
    "API_KEY", "COOKIE_SECRET", "MASTER_KEY", "MASTER_KEY_PREVIOUS", "METRICS_TOKEN", "NATS_NKEY_SEED",
    "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY",
)  # fmt: skip
_OWNED = frozenset(
    (
        *_SECRETS, *(f"{name}_FILE" for name in _SECRETS),
        "NATS_URL", "NATS_MONITOR_URL", "HTTP_HOST", "HTTP_PORT", "INSTANCE", "DATA_DIR", "GATEWAY_HOST",
        "GATEWAY_PORT", "SESSION_PATH", "BACKUP_SESSION_PATH", "S3_ENDPOINT", "S3_BUCKET", "S3_REGION",
        "S3_ADDRESSING_STYLE",
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    )
)  # fmt: skip
_STORE = (
    "S3_ENDPOINT", "S3_BUCKET", "S3_REGION", "S3_ADDRESSING_STYLE", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY",
)  # fmt: skip
"""What reaches the backup service, and it alone, when the user names a store."""
_FOR_SERVERS = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")


@dataclass(frozen=True, kw_only=True)
class Programs:
    """Where the programs and files of other projects lie."""

    nats_server: str
    weed: str
    browser: str
    wa_js: str
    python: str = sys.executable


@dataclass(frozen=True, kw_only=True)
class Ready:
    """When a process counts as started: `url` answers 200. Where `required` is false a late one only gets a line."""

    url: str
    seconds: float
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Process:
    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    """The whole environment; holds secrets, so it is never printed."""
    ready: Ready
    stop_seconds: float
    """From SIGTERM to SIGKILL."""
    stage: int = 1
    """Processes of one stage start at the same time, after those of the stages before."""
    death_signal: int = signal.SIGTERM
    """What the process gets when the supervisor dies."""


def plan(
    settings: StackSettings,
    *,
    ports: Mapping[str, int],
    keys: Keys,
    programs: Programs,
    nats_config: Path,
    environ: Mapping[str, str],
) -> tuple[Process, ...]:
    """The processes, those that others need first; they stop one by one in the reverse order."""
    servers = {name: environ[name] for name in _FOR_SERVERS if name in environ}
    make = _Maker(
        settings=settings,
        ports=ports,
        keys=keys,
        programs=programs,
        servers={**servers, **_marks(settings)},
        services=_for_services(settings, ports, environ),
        given=environ,
    )
    demo = (make.standin(),) if settings.demo else ()
    store = () if make.has_store() else (make.s3(),)
    return (*demo, make.nats(nats_config), *store, make.backup(), make.health(), make.worker(), make.gateway())


def _for_services(settings: StackSettings, ports: Mapping[str, int], environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in _OWNED}
    return {
        "LOG_LEVEL": "info",
        **kept,
        **_marks(settings),
        "PYTHONUNBUFFERED": "1",
        "CLIENT_ID": settings.client_id,
        "NATS_URL": f"nats://127.0.0.1:{ports['nats']}",
        "HTTP_HOST": "127.0.0.1",
    }


def _marks(settings: StackSettings) -> dict[str, str]:
    return {MARK: str(settings.data_dir), "DATA_DIR": str(settings.data_dir)}


def web_url(settings: StackSettings, ports: Mapping[str, int]) -> str:
    """The site to link with. In the demo the stand-in, whose address must stay: a profile belongs to it."""
    return f"http://127.0.0.1:{ports['standin-web']}" if settings.demo else settings.whatsapp_web_url


def phone_url(settings: StackSettings, ports: Mapping[str, int]) -> str:
    """The page of the demo's virtual phone."""
    return f"{web_url(settings, ports)}/phone"


def standin_control_url(ports: Mapping[str, int]) -> str:
    return f"http://127.0.0.1:{ports['standin-control']}"


@dataclass(frozen=True, kw_only=True)
class _Maker:
    settings: StackSettings
    ports: Mapping[str, int]
    keys: Keys
    programs: Programs
    servers: Mapping[str, str]
    services: Mapping[str, str]
    given: Mapping[str, str]

    def standin(self) -> Process:
        folder = self.settings.data_dir / "standin"
        ports = self.ports
        return Process(
            name=STANDIN,
            argv=(
                self.programs.python, "-m", "standin", "--state-dir", str(folder),
                "--ready-file", str(self.settings.run_dir / "standin.json"),
                "--port", str(ports["standin-web"]), "--control-port", str(ports["standin-control"]),
            ),
            env={**self.servers, "PYTHONUNBUFFERED": "1"},
            ready=Ready(url=f"{standin_control_url(ports)}/health", seconds=20),
            stage=0,
            stop_seconds=0.8,
        )  # fmt: skip

    def nats(self, config: Path) -> Process:
        return Process(
            name=NATS,
            argv=(self.programs.nats_server, "-c", str(config)),
            env=self.servers,
            ready=Ready(url=f"{self._local('nats-monitor')}/healthz", seconds=15),
            stage=0,
            stop_seconds=1.0,
            death_signal=signal.SIGKILL,
        )

    def s3(self) -> Process:
        secrets = seaweed.environment(self.keys.read(S3_ACCESS_KEY), self.keys.read(S3_SECRET_KEY))
        # The filer answers for the bucket's folder without a signature, so that "the bucket is there" can be asked.
        bucket = f"{self._local('s3-filer')}/buckets/{seaweed.BUCKET}/"
        return Process(
            name=S3,
            argv=seaweed.command(self.programs.weed, self.settings.data_dir / "s3", self.ports),
            env={**self.servers, **secrets},
            ready=Ready(url=bucket, seconds=30),
            stage=0,
            stop_seconds=2.5,
            death_signal=signal.SIGKILL,
        )

    def has_store(self) -> bool:
        """Whether the user names an S3 store; then none is started here. A demo never writes into a real one."""
        return bool(self.given.get("S3_ENDPOINT")) and not self.settings.demo

    def _own_store(self) -> dict[str, str]:
        return {
            "S3_ENDPOINT": seaweed.endpoint(self.ports),
            "S3_BUCKET": seaweed.BUCKET,
            "S3_REGION": seaweed.REGION,
            "S3_ADDRESSING_STYLE": "path",
            "S3_ACCESS_KEY_ID": self.keys.read(S3_ACCESS_KEY),
            "S3_SECRET_ACCESS_KEY_FILE": str(self.keys.path(S3_SECRET_KEY)),
        }

    def _given_store(self) -> dict[str, str]:
        return {name: value for each in _STORE for name, value in self._given(each).items()}

    def backup(self) -> Process:
        env = {
            **(self._given_store() if self.has_store() else self._own_store()),
            "MASTER_KEY_FILE": str(self.keys.path(MASTER_KEY)),
            **self._given("MASTER_KEY_PREVIOUS"),
        }
        return self._service(BACKUP, "backup", "backup-http", env, stop_seconds=1.5)

    def health(self) -> Process:
        env = {"NATS_MONITOR_URL": self._local("nats-monitor")}
        return self._service(HEALTH, "health", "health-http", env, stop_seconds=1.0)

    def worker(self) -> Process:
        env = {
            "SESSION_PATH": str(self.settings.session_path),
            "BACKUP_SESSION_PATH": str(self.settings.backup_session_path),
            "WHATSAPP_WEB_URL": web_url(self.settings, self.ports),
            "LEASE_POLICY": self.settings.lease_policy,
            "BROWSER_EXECUTABLE": self.programs.browser,
            "WA_JS_PATH": self.programs.wa_js,
        }
        return self._service(WORKER, "browser_worker", "worker-http", env, stop_seconds=13.0)

    def gateway(self) -> Process:
        key = (
            {"API_KEY": self.settings.api_key}
            if self.settings.api_key
            else {"API_KEY_FILE": str(self.keys.path(API_KEY))}
        )
        env = {
            **key,
            **self._given("METRICS_TOKEN"),
            "COOKIE_SECRET_FILE": str(self.keys.path(COOKIE_SECRET)),
            "GATEWAY_HOST": self.settings.gateway_host,
            "GATEWAY_PORT": str(self.settings.gateway_port),
            "SESSION_PATH": str(self.settings.session_path),
            "BACKUP_SESSION_PATH": str(self.settings.backup_session_path),
        }
        ready = Ready(url=f"{self.settings.gateway_url}/health/ready", seconds=30)
        return self._service(GATEWAY, "gateway", "gateway-http", env, stop_seconds=1.5, ready=ready)

    def _service(
        self,
        name: str,
        module: str,
        port: str,
        env: Mapping[str, str],
        *,
        stop_seconds: float,
        ready: Ready | None = None,
    ) -> Process:
        seed = {"NATS_NKEY_SEED_FILE": str(self.keys.path(seed_name(name)))}
        own = {"HTTP_PORT": str(self.ports[port])}
        late = Ready(url=f"{self._local(port)}/health/ready", seconds=15, required=False)
        return Process(
            name=name,
            argv=(self.programs.python, "-m", module),
            env={**self.services, **seed, **own, **env},
            ready=ready or late,
            stop_seconds=stop_seconds,
        )

    def _given(self, name: str) -> dict[str, str]:
        """A secret that the user may give, for the one service that needs it."""
        return {each: self.given[each] for each in (name, f"{name}_FILE") if each in self.given}

    def _local(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"
