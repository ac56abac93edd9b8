"""Settings from environment variables that are named like the fields.

All faults are reported at once, each in one sentence that begins with the name of the variable. A fault never shows the
value, because the value may be a secret.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_args

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from shared.bus import BusOptions
from shared.bus.credentials import check_public_key, identity, public_key

from .redaction import never_log

Milliseconds = Annotated[int, Field(ge=1)]
"""A whole number of milliseconds, at least 1; for settings that end in _MS."""
Port = Annotated[int, Field(ge=0, le=65535)]
"""0 = any free port."""


S = TypeVar("S", bound="ServiceSettings")


RAILWAY_VARIABLES = ("RAILWAY_PROJECT_ID", "RAILWAY_PROJECT_NAME")
"""Railway sets both in every service (https://docs.railway.com/reference/variables)."""


def on_railway() -> bool:
    return any(os.environ.get(name) for name in RAILWAY_VARIABLES)


def default_session_path() -> str:
    """Where the old system keeps the profiles."""
    return "/app/persistent-session" if on_railway() else "./persistent-session"


def default_backup_session_path() -> str:
    """Where the old system keeps the saves."""
    return "/tmp/session-backup" if on_railway() else "./session-backup"  # noqa: S108


def default_instance() -> str:
    """Host and process id, as one token of a subject."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"{socket.gethostname()}-{os.getpid()}")


class BadSecretFile(ValueError):
    """A NAME_FILE that cannot be used; the text names the variable."""


class ServiceSettings(BaseSettings):
    """The settings of every service. A SecretStr field `name` is also read from the file that NAME_FILE names. An empty
    variable counts as unset."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    nats_url: str = "nats://127.0.0.1:4222"
    nats_nkey_seed: SecretStr
    bus_keys: dict[str, str]
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    http_host: str = "127.0.0.1"
    http_port: Port = 0
    metrics_token: SecretStr = SecretStr("")
    instance: str = Field(default_factory=default_instance, pattern="^[A-Za-z0-9_-]+$")

    @field_validator("nats_nkey_seed")
    @classmethod
    def _is_a_seed(cls, seed: SecretStr) -> SecretStr:
        public_key(seed.get_secret_value())
        return seed

    @field_validator("bus_keys")
    @classmethod
    def _are_public_keys(cls, keys: dict[str, str]) -> dict[str, str]:
        return {user: check_public_key(user, key) for user, key in keys.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls)

    def bus_options(self, service: str) -> BusOptions:
        """How `service` (the name of its user on the bus) reaches NATS."""
        seed = self.nats_nkey_seed.get_secret_value()
        own = identity(service, seed, self.bus_keys)
        return BusOptions(url=self.nats_url, nkey_seed=seed, name=service, identity=own)


class SecretFiles(PydanticBaseSettingsSource):
    """NAME_FILE for each SecretStr field."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        if not _is_secret(field):
            return None, field_name, False
        variable = f"{field_name.upper()}_FILE"
        path = os.environ.get(variable, "")
        if not path:
            return None, field_name, False
        try:
            return _read_secret(field_name.upper(), Path(path)), field_name, False
        except BadSecretFile:
            return None, field_name, False  # `secret_file_faults` reports it

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def load_settings(kind: type[S]) -> S:
    """Return the settings, or end the process with code 2 and one line on stderr for each fault."""
    faults, settings = read_settings(kind)
    if settings is None:
        for fault in faults:
            print(fault, file=sys.stderr)
        raise SystemExit(2)
    return settings


def read_settings(kind: type[S]) -> tuple[list[str], S | None]:
    """(faults, None) or ([], settings). The logs redact every secret that was read from here on."""
    faults = secret_file_faults(kind)
    try:
        settings: S = cast(Any, kind)()  # the environment gives what is required
    except ValidationError as error:
        return [*faults, *_sentences(error, reported=faults)], None
    except SettingsError as error:
        return [*faults, f"{_field_in(str(error))} cannot be read: it must be JSON."], None
    if faults:
        return faults, None
    for name in kind.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            never_log(value.get_secret_value())
    return [], settings


def secret_file_faults(kind: type[ServiceSettings]) -> list[str]:
    """What is wrong with the files named by NAME_FILE variables."""
    faults = []
    for name, field in kind.model_fields.items():
        path = os.environ.get(f"{name.upper()}_FILE", "")
        if not path or not _is_secret(field):
            continue
        try:
            _read_secret(name.upper(), Path(path))
        except BadSecretFile as error:
            faults.append(str(error))
    return faults


def _read_secret(variable: str, path: Path) -> str:
    if os.environ.get(variable):
        raise BadSecretFile(f"{variable} and {variable}_FILE are both set; keep one of them.")
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadSecretFile(f"{variable}_FILE names a file that cannot be read: {reason}.") from None
    if not text:
        raise BadSecretFile(f"{variable}_FILE names an empty file.")
    return text


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def _sentences(error: ValidationError, *, reported: list[str]) -> list[str]:
    sentences = [_sentence(dict(fault)) for fault in error.errors(include_input=False, include_url=False)]
    variables = {fault.split(" ")[0].removesuffix("_FILE") for fault in reported}
    return [text for text in sentences if text.split(" ")[0] not in variables]


def _sentence(fault: dict[str, Any]) -> str:
    """One fault of pydantic's as a sentence that begins with the variable's name."""
    variable = str(fault["loc"][0]).upper() if fault["loc"] else "A setting"
    limits = fault.get("ctx", {})
    match fault["type"]:
        case "missing":
            return f"{variable} is not set; it is required."
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{variable} must be a whole number."
        case "float_parsing" | "float_type":
            return f"{variable} must be a number."
        case "bool_parsing" | "bool_type":
            return f"{variable} must be true or false."
        case "greater_than_equal":
            return f"{variable} must be at least {limits['ge']}."
        case "greater_than":
            return f"{variable} must be more than {limits['gt']}."
        case "less_than_equal":
            return f"{variable} must be at most {limits['le']}."
        case "string_pattern_mismatch":
            return f"{variable} must match {limits['pattern']}."
        case "value_error":
            return f"{variable} is wrong: {str(limits['error']).rstrip('.')}."
    return f"{variable} is wrong: {_small(str(fault['msg'])).rstrip('.')}."


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _field_in(text: str) -> str:
    found = re.search(r'field "(\w+)"', text)
    return found.group(1).upper() if found else "A setting"
