"""The keys of a local system: made once, kept in DATA_DIR/keys, readable by their owner alone.

Knows how each key is made and where it lies; prints none. Trap: a key that was lost cannot be made again — without
`master-key` no backup opens — so a key is on disk, durably, before anything uses it, and is never overwritten.
"""

from __future__ import annotations

import base64
import os
import secrets as random_bytes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from persistent_session.faults import Fault
from persistent_session.settings import API_KEY_FILE
from shared.bus import permissions
from shared.bus.credentials import new_seed, public_key

API_KEY = API_KEY_FILE
COOKIE_SECRET = "cookie-secret"  # noqa: S105
MASTER_KEY = "master-key"
S3_ACCESS_KEY = "s3-access-key"
S3_SECRET_KEY = "s3-secret-key"  # noqa: S105
BUS_USERS = permissions.SERVICES
DAMAGED = "delete it and start again: it is made anew, and nothing is lost"


def seed_name(user: str) -> str:
    return f"nkey-{user}"


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The folder of the keys; `made` names those that this run created."""

    folder: Path
    made: frozenset[str]

    def path(self, name: str) -> Path:
        return self.folder / name

    def read(self, name: str) -> str:
        return self.path(name).read_text().strip()

    def bus_public_key(self, user: str) -> str:
        try:
            return public_key(self.read(seed_name(user)))
        except ValueError:
            raise Fault(f"the key file {self.path(seed_name(user))} holds no nkey seed", hint=DAMAGED) from None


def open_keys(folder: Path, *, make_api_key: bool = True) -> Keys:
    """The keys of a system; those that are absent are made. Raises Fault when the folder cannot be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        made = {name for name, maker in _makers(make_api_key).items() if _make(folder / name, maker)}
    except OSError as error:
        raise Fault(f"the keys cannot be kept in {folder}: {error.strerror}", hint="check DATA_DIR") from error
    return Keys(folder=folder, made=frozenset(made))


def _makers(make_api_key: bool) -> dict[str, Callable[[], str]]:
    makers: dict[str, Callable[[], str]] = {
        COOKIE_SECRET: lambda: random_bytes.token_urlsafe(48),
        MASTER_KEY: lambda: base64.b64encode(random_bytes.token_bytes(32)).decode(),
        S3_ACCESS_KEY: lambda: random_bytes.token_hex(10),
        S3_SECRET_KEY: lambda: random_bytes.token_urlsafe(30),
        **{seed_name(user): new_seed for user in BUS_USERS},
    }
    if make_api_key:
        makers[API_KEY] = lambda: f"ps_{random_bytes.token_urlsafe(32)}"
    return makers


def _make(path: Path, maker: Callable[[], str]) -> bool:
    """Write a new key whole and durably, or leave the one that is there. True when it was made now."""
    if path.exists():
        if not path.read_text().strip():
            raise Fault(
                f"the key file {path} is empty",
                hint="put it back from a copy; only where nothing depends on it, delete it and start again",
            )
        path.chmod(0o600)
        return False
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(maker() + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    _sync_folder(path.parent)
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
