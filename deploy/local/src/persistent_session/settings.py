"""Settings of the local mode, read from the environment once.

Knows only what the supervisor itself needs; everything else in the environment reaches the services as it is, so that
their settings keep one definition. Trap: `demo` has folders of its own, so that it never touches a real session.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from persistent_session.faults import Exit, Fault

REAL_WHATSAPP = "https://web.whatsapp.com"
DEFAULT_CLIENT_ID = "whatsapp-automation-pro-v2"
DEFAULT_DATA_DIR = "data"
DEMO_FOLDER = "demo"
API_KEY_FILE = "api-key"
"""Name of the file in DATA_DIR/keys that keeps the API key."""
_CLIENT_ID = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of the local mode, for the reader and for docs/configuration.md."""

    name: str
    default: str
    meaning: str


SETTINGS = (
    Setting(name="DATA_DIR", default="./data (demo: ./data/demo)", meaning="folder of NATS, S3, keys and logs"),
    Setting(name="GATEWAY_HOST", default="127.0.0.1", meaning="address the gateway listens on"),
    Setting(name="GATEWAY_PORT", default="8080", meaning="port of the page and the REST API"),
    Setting(
        name="API_KEY", default="made once, kept in DATA_DIR/keys/api-key", meaning="key that every request must carry"
    ),
    Setting(name="WHATSAPP_WEB_URL", default=REAL_WHATSAPP, meaning="the site to link with; demo: its own stand-in"),
    Setting(name="CLIENT_ID", default=DEFAULT_CLIENT_ID, meaning="id of the default session"),
    Setting(
        name="SESSION_PATH",
        default="./persistent-session (demo: DATA_DIR/session)",
        meaning="folder of the browser's profile",
    ),
    Setting(
        name="BACKUP_SESSION_PATH",
        default="./session-backup (demo: DATA_DIR/saves)",
        meaning="folder of the local saves",
    ),
    Setting(name="LEASE_POLICY", default="keep", meaning="keep: one worker alone runs on when NATS is lost"),
    Setting(name="BROWSER_EXECUTABLE", default="the first Chromium found", meaning="browser that the worker starts"),
    Setting(
        name="S3_ENDPOINT",
        default="a server of its own in DATA_DIR/s3",
        meaning="an S3 store of yours, with S3_BUCKET, S3_REGION, S3_ADDRESSING_STYLE and the two keys as below; "
        "not in the demo",
    ),
    Setting(name="LOG_LEVEL", default="info", meaning="level of the services' log files"),
)


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """Where a local system lives and how it is reached. Paths are absolute."""

    data_dir: Path
    session_path: Path
    backup_session_path: Path
    gateway_host: str
    gateway_port: int
    whatsapp_web_url: str
    client_id: str
    lease_policy: str
    api_key: str
    """Given by the user; "" means that one is made and kept."""
    demo: bool

    @property
    def run_dir(self) -> Path:
        return self.data_dir / "run"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def keys_dir(self) -> Path:
        return self.data_dir / "keys"

    @property
    def gateway_url(self) -> str:
        """Where this machine reaches the gateway."""
        anywhere = self.gateway_host in ("0.0.0.0", "::", "")  # noqa: S104
        return f"http://{'127.0.0.1' if anywhere else self.gateway_host}:{self.gateway_port}"


def data_dir(environ: Mapping[str, str], *, demo: bool, here: Path) -> Path:
    """The data folder, absolute. `here` is the folder that relative paths begin at."""
    given = environ.get("DATA_DIR", "")
    usual = f"{DEFAULT_DATA_DIR}/{DEMO_FOLDER}" if demo else DEFAULT_DATA_DIR
    return _path(given or usual, here)


def read_settings(environ: Mapping[str, str], *, demo: bool, here: Path) -> StackSettings:
    """All settings of the local mode. Raises Fault that names every wrong one."""
    faults: list[str] = []
    data = data_dir(environ, demo=demo, here=here)
    session = environ.get("SESSION_PATH") or (str(data / "session") if demo else "persistent-session")
    saves = environ.get("BACKUP_SESSION_PATH") or (str(data / "saves") if demo else "session-backup")
    found = StackSettings(
        data_dir=data,
        session_path=_path(session, here),
        backup_session_path=_path(saves, here),
        gateway_host=environ.get("GATEWAY_HOST") or "127.0.0.1",
        gateway_port=_port(environ.get("GATEWAY_PORT") or "8080", faults),
        whatsapp_web_url=environ.get("WHATSAPP_WEB_URL") or REAL_WHATSAPP,
        client_id=environ.get("CLIENT_ID") or DEFAULT_CLIENT_ID,
        lease_policy=environ.get("LEASE_POLICY") or "keep",
        api_key=_api_key(environ, here, faults),
        demo=demo,
    )
    faults.extend(_faults(found))
    if faults:
        raise Fault("; ".join(faults), hint="see docs/configuration.md", code=Exit.USAGE)
    return found


def _faults(found: StackSettings) -> list[str]:
    faults = []
    if found.session_path == found.backup_session_path:
        faults.append("SESSION_PATH and BACKUP_SESSION_PATH are the same folder")
    if not _CLIENT_ID.fullmatch(found.client_id):
        faults.append("CLIENT_ID must be 1 to 63 of: small letters a-z, digits, hyphen")
    if found.lease_policy not in ("keep", "fence"):
        faults.append("LEASE_POLICY must be keep or fence")
    if not _is_web_address(found.whatsapp_web_url):
        faults.append("WHATSAPP_WEB_URL must be an http or https address")
    return faults


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _port(text: str, faults: list[str]) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    faults.append("GATEWAY_PORT must be a number from 1 to 65535")
    return 0


def _api_key(environ: Mapping[str, str], here: Path, faults: list[str]) -> str:
    if environ.get("API_KEY"):
        return environ["API_KEY"]
    if not environ.get("API_KEY_FILE"):
        return ""
    try:
        key = _path(environ["API_KEY_FILE"], here).read_text().strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key:
        faults.append("API_KEY_FILE names no readable file with a key")
    return key


def _path(text: str, here: Path) -> Path:
    return (here / Path(text).expanduser()).resolve()
