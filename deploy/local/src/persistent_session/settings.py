"""Settings of the local mode, read from the environment once.

The module knows only what the launcher itself needs. Every other variable reaches the services unchanged, so each
service's settings have one definition. The demo has folders of its own, so it never touches a real session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from persistent_session.data_folder import DataFolder
from persistent_session.errors import CliError, ExitCode
from persistent_session.services.description import Secret
from persistent_session.services.secrets import API_KEY, METRICS_TOKEN
from shared.contracts.identifiers import HOW_TO_MAKE_A_KEY, SESSION_ID, key_weakness

REAL_WHATSAPP = "https://web.whatsapp.com"
DEFAULT_CLIENT_ID = "whatsapp-automation-pro-v2"
DEFAULT_DATA_DIR = "data"
DEMO_DATA_DIR = "data/demo"
DEFAULT_SESSION_PATH, DEFAULT_BACKUP_SESSION_PATH = "persistent-session", "session-backup"
DEMO_PROFILES, DEMO_SAVES = "session", "saves"
"""Folders in the demo's DATA_DIR."""
LEASE_POLICIES = ("keep", "fence")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of the local mode, as docs/configuration.md shows it."""

    name: str
    default: str
    meaning: str


SETTINGS = (
    Setting(
        name="DATA_DIR",
        default=f"./{DEFAULT_DATA_DIR} (demo: ./{DEMO_DATA_DIR})",
        meaning="folder of NATS, S3, keys and logs",
    ),
    Setting(name="GATEWAY_HOST", default="127.0.0.1", meaning="address that the gateway listens on"),
    Setting(name="GATEWAY_PORT", default="8080", meaning="port of the page and the REST API"),
    Setting(
        name="API_KEY", default="generated once, in DATA_DIR/keys/api-key", meaning="key that every request must carry"
    ),
    Setting(
        name="METRICS_TOKEN",
        default="generated once, in DATA_DIR/keys/metrics-token",
        meaning="bearer token for /metrics and /health/ready of every service",
    ),
    Setting(name="WHATSAPP_WEB_URL", default=REAL_WHATSAPP, meaning="the site to link with; demo: its own stand-in"),
    Setting(name="CLIENT_ID", default=DEFAULT_CLIENT_ID, meaning="id of the default session"),
    Setting(
        name="SESSION_PATH",
        default=f"./{DEFAULT_SESSION_PATH} (demo: DATA_DIR/{DEMO_PROFILES})",
        meaning="folder of the browser's profile",
    ),
    Setting(
        name="BACKUP_SESSION_PATH",
        default=f"./{DEFAULT_BACKUP_SESSION_PATH} (demo: DATA_DIR/{DEMO_SAVES})",
        meaning="folder of the local saves",
    ),
    Setting(
        name="LEASE_POLICY",
        default="keep",
        meaning="keep: the worker, which is alone, runs on while NATS is lost; fence: it freezes the browser",
    ),
    Setting(name="BROWSER_EXECUTABLE", default="the first Chromium found", meaning="browser that the worker starts"),
    Setting(
        name="S3_ENDPOINT",
        default="a local object store in DATA_DIR/s3",
        meaning="an object store of yours, with S3_BUCKET, S3_REGION, S3_ADDRESSING_STYLE and the two keys as below; "
        "not in the demo",
    ),
    Setting(name="LOG_LEVEL", default="info", meaning="level of the services' log files"),
)


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """Where a local system lives, and how clients reach it. Paths are absolute."""

    data: DataFolder
    session_path: Path
    backup_session_path: Path
    gateway_host: str
    gateway_port: int
    whatsapp_web_url: str
    client_id: str
    lease_policy: str
    api_key: str
    """The key that the user gave; "" means that the generated key counts."""
    metrics_token: str
    """As `api_key`."""
    demo: bool

    @property
    def given(self) -> Mapping[Secret, str]:
        """What the user gave in place of generated secrets."""
        found = {API_KEY: self.api_key, METRICS_TOKEN: self.metrics_token}
        return {secret: value for secret, value in found.items() if value}

    @property
    def gateway_url(self) -> str:
        """The address at which this machine reaches the gateway."""
        anywhere = self.gateway_host in ("0.0.0.0", "::", "")  # noqa: S104
        return f"http://{'127.0.0.1' if anywhere else self.gateway_host}:{self.gateway_port}"


def find_data_folder(environ: Mapping[str, str], *, demo: bool, here: Path) -> DataFolder:
    """The data folder. Relative paths begin at `here`."""
    default = DEMO_DATA_DIR if demo else DEFAULT_DATA_DIR
    return DataFolder(_path(environ.get("DATA_DIR") or default, here))


def read_settings(environ: Mapping[str, str], *, demo: bool, here: Path) -> StackSettings:
    """All settings of the local mode. Raises CliError that names every wrong setting."""
    problems: list[str] = []
    data = find_data_folder(environ, demo=demo, here=here)
    session = environ.get("SESSION_PATH") or (str(data.path / DEMO_PROFILES) if demo else DEFAULT_SESSION_PATH)
    saves = environ.get("BACKUP_SESSION_PATH") or (str(data.path / DEMO_SAVES) if demo else DEFAULT_BACKUP_SESSION_PATH)
    settings = StackSettings(
        data=data,
        session_path=_path(session, here),
        backup_session_path=_path(saves, here),
        gateway_host=environ.get("GATEWAY_HOST") or "127.0.0.1",
        gateway_port=_port(environ.get("GATEWAY_PORT") or "8080", problems),
        whatsapp_web_url=environ.get("WHATSAPP_WEB_URL") or REAL_WHATSAPP,
        client_id=environ.get("CLIENT_ID") or DEFAULT_CLIENT_ID,
        lease_policy=environ.get("LEASE_POLICY") or "keep",
        api_key=_key("API_KEY", environ, here, problems),
        metrics_token=_key("METRICS_TOKEN", environ, here, problems),
        demo=demo,
    )
    problems.extend(_problems(settings))
    if problems:
        raise CliError("; ".join(problems), hint="see docs/configuration.md", code=ExitCode.USAGE)
    return settings


def _problems(settings: StackSettings) -> Iterator[str]:
    if settings.api_key and (weakness := key_weakness(settings.api_key)):
        yield f"API_KEY {weakness}; {HOW_TO_MAKE_A_KEY}"
    if settings.session_path == settings.backup_session_path:
        yield "SESSION_PATH and BACKUP_SESSION_PATH are the same folder"
    if not SESSION_ID.fullmatch(settings.client_id):
        yield "CLIENT_ID must be 1 to 63 of: small letters a-z, digits, hyphen"
    if settings.lease_policy not in LEASE_POLICIES:
        yield f"LEASE_POLICY must be {' or '.join(LEASE_POLICIES)}"
    if not _is_web_address(settings.whatsapp_web_url):
        yield "WHATSAPP_WEB_URL must be an http or https address"


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _port(text: str, problems: list[str]) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    problems.append("GATEWAY_PORT must be a number from 1 to 65535")
    return 0


def _key(name: str, environ: Mapping[str, str], here: Path, problems: list[str]) -> str:
    if environ.get(name):
        return environ[name]
    if not environ.get(f"{name}_FILE"):
        return ""
    try:
        key = _path(environ[f"{name}_FILE"], here).read_text().strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key:
        problems.append(f"{name}_FILE must name a readable file that holds a key")
    return key


def _path(text: str, here: Path) -> Path:
    return (here / Path(text).expanduser()).resolve()
