"""The generated secrets of a local system: made once, kept in DATA_DIR/keys, readable by their owner alone.

The trap: a lost key cannot be made again, and without the master key no backup can be read. So a key is on disk,
durably, before anything uses it, and no key is ever overwritten.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from persistent_session.data_folder import DataFolder
from persistent_session.errors import CliError
from persistent_session.services.description import Secret
from persistent_session.services.secrets import (
    API_KEY,
    COOKIE_SECRET,
    MASTER_KEY,
    METRICS_TOKEN,
    NATS_STORE_KEY,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    S3_TLS,
    STANDIN_KEY,
)
from persistent_session.services.table import NKEY_SEEDS, SECRETS
from persistent_session.stack.certificate import new_certificate
from persistent_session.stack.private_file import write_private
from shared.bus.credentials import new_seed, public_key

_GENERATORS: Mapping[Secret, Callable[[], str]] = {
    API_KEY: lambda: f"ps_{secrets.token_urlsafe(32)}",
    COOKIE_SECRET: lambda: secrets.token_urlsafe(48),
    METRICS_TOKEN: lambda: secrets.token_urlsafe(32),
    STANDIN_KEY: lambda: secrets.token_urlsafe(32),
    MASTER_KEY: lambda: base64.b64encode(secrets.token_bytes(32)).decode(),
    S3_ACCESS_KEY: lambda: secrets.token_hex(10),
    S3_SECRET_KEY: lambda: secrets.token_urlsafe(30),
    S3_TLS: new_certificate,
    NATS_STORE_KEY: lambda: secrets.token_urlsafe(32),
    **dict.fromkeys(NKEY_SEEDS.values(), new_seed),
}


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The keys of one system; `created` names those that this run made."""

    data: DataFolder
    created: frozenset[str]

    def path(self, secret: Secret) -> Path:
        return self.data.key(secret.name)

    def read(self, secret: Secret) -> str:
        return self.path(secret).read_text().strip()

    def bus_public_keys(self) -> dict[str, str]:
        """The public nkey of each user of NATS."""
        return {user: self._public_key(seed) for user, seed in NKEY_SEEDS.items()}

    def _public_key(self, seed: Secret) -> str:
        try:
            return public_key(self.read(seed))
        except ValueError:
            raise CliError(
                f"the key file {self.path(seed)} holds no nkey seed",
                hint="delete the file and start again: the key is made anew, and nothing is lost",
            ) from None


def open_keys(data: DataFolder, *, given: Collection[Secret] = ()) -> Keys:
    """The keys of a system; missing keys are made, but those that the user has `given`. Raises CliError when the folder
    cannot be used or a key is empty."""
    needed = [secret for secret in SECRETS if secret.generated and secret not in given]
    try:
        data.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        data.keys.chmod(0o700)
        created = {secret.name for secret in needed if _make_missing(data.key(secret.name), _GENERATORS[secret])}
    except OSError as error:
        raise CliError(f"the keys cannot be kept in {data.keys}: {error.strerror}", hint="check DATA_DIR") from error
    return Keys(data=data, created=frozenset(created))


def _make_missing(path: Path, generate: Callable[[], str]) -> bool:
    """True when the key was absent and is made now."""
    if not path.exists():
        write_private(path, generate() + "\n", durable=True)
        return True
    if not path.read_text().strip():
        raise CliError(
            f"the key file {path} is empty",
            hint="put it back from a copy; delete it and start again only where nothing depends on the key",
        )
    path.chmod(0o600)
    return False
