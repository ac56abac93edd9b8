"""The gateway's settings, read from environment variables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from shared.contracts import identifiers
from shared.runtime import ServiceSettings, on_railway
from shared.runtime.settings import Milliseconds, default_backup_session_path, default_session_path

DAY_MS = 24 * 3600 * 1000


class GatewaySettings(ServiceSettings):
    client_id: str = Field("whatsapp-automation-pro-v2", description="The default session's id.")
    gateway_host: str = Field("127.0.0.1", description="Address to listen on; `::` for all, as on Railway.")
    gateway_port: int = Field(8080, ge=0, le=65535, description="Port to listen on.")
    gateway_worker_class: Literal["gevent", "gthread"] = Field(
        "gevent", description="Gunicorn's worker class. `gthread`, the old default, is accepted and means `gevent`."
    )
    api_key: SecretStr = Field(SecretStr(""), validate_default=True, description="The key of every client. Required.")
    cookie_secret: SecretStr = Field(
        SecretStr(""), description="Signs the page's login together with the API key; a new secret ends every login."
    )
    trusted_proxies: int = Field(
        default_factory=lambda: 1 if on_railway() else 0,
        ge=0,
        description="How many proxies in front of the gateway write X-Forwarded-For and -Host.",
    )
    session_path: str = Field(
        default_factory=default_session_path,
        description="Shown as systemInfo.sessionPath until a worker reports its own.",
    )
    backup_session_path: str = Field(
        default_factory=default_backup_session_path,
        description="Shown as systemInfo.backupPath until a worker reports its own.",
    )
    login_per_minute: int = Field(
        10,
        ge=1,
        description="Wrong keys, for each address and minute, that are answered plainly; further ones have to wait. "
        "A right key never waits.",
    )
    login_idle_ms: Milliseconds = Field(
        2 * 3600 * 1000, description="A login of the page ends when nobody has used it for so long."
    )
    login_longest_ms: int = Field(
        12 * 3600 * 1000, ge=1, le=30 * DAY_MS, description="A login of the page ends after so long in any case."
    )
    test_messages_per_minute: int = Field(10, ge=1, description="Test messages a minute.")
    actions_per_minute: int = Field(600, ge=1, description="Actions by POST a minute.")
    max_streams: int = Field(
        40,
        ge=1,
        le=500,
        description="Event streams open at once. Further streams get 503, unless another login has more streams open: "
        "then its oldest stream ends.",
    )

    @field_validator("api_key")
    @classmethod
    def _required(cls, key: SecretStr) -> SecretStr:
        text = key.get_secret_value()
        if not text:
            raise ValueError(f"API_KEY is required; {identifiers.HOW_TO_MAKE_A_KEY}")
        if weakness := identifiers.key_weakness(text):
            raise ValueError(f"API_KEY {weakness}; {identifiers.HOW_TO_MAKE_A_KEY}")
        return key

    @field_validator("client_id")
    @classmethod
    def _session_id(cls, text: str) -> str:
        if not identifiers.SESSION_ID.fullmatch(text):
            raise ValueError("a session id is 1 to 63 of: small letters a-z, digits, hyphen")
        return text
