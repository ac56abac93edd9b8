"""The health service's settings, by the names of the whole system. `_MS` is milliseconds, `_MB` is 2²⁰ bytes."""

from __future__ import annotations

from typing import Self

from pydantic import Field, PositiveInt, SecretStr, field_validator, model_validator

from shared.bus import BusOptions
from shared.contracts.identifiers import SESSION_ID
from shared.runtime import Milliseconds, ServiceSettings

from .domain.thresholds import Thresholds


class HealthSettings(ServiceSettings):
    client_id: str = Field("whatsapp-automation-pro-v2", description="Id of the default session.")
    nats_monitor_nkey_seed: SecretStr = Field(
        SecretStr(""),
        description="nkey seed of a user of NATS's system account who may ask `$SYS.REQ.SERVER.PING.VARZ`. Empty: the "
        "connection alone tells whether NATS is well.",
    )
    gateway_url: str = Field(
        "",
        pattern=r"^(https?://.+)?$",
        description="Address of the gateway, such as http://gateway:8080, which is asked every five seconds whether it "
        "answers. Empty: whether the gateway answers is unknown.",
    )
    health_check_interval_ms: Milliseconds = Field(
        15000, description="How often a report is published although nothing changed."
    )
    max_session_size_mb: PositiveInt = Field(
        150, description="Profile size that is a warning; twice this size is critical."
    )
    session_timeout_ms: Milliseconds = Field(45000, description="A start may take four times this long.")
    max_reconnect_attempts: PositiveInt = Field(5, description="Number of attempts to reconnect that is critical.")
    backup_interval_ms: Milliseconds = Field(
        300000, description="A backup three intervals old is a warning, twelve critical."
    )
    force_save_interval_ms: Milliseconds = Field(
        120000, description="A save three intervals old is a warning, fifteen critical."
    )
    session_validation_interval_ms: Milliseconds = Field(
        60000, description="A profile that was not validated for three intervals is a warning."
    )
    memory_warning_mb: PositiveInt = Field(
        700, description="Memory of a session's browser above which it is a warning."
    )
    memory_critical_mb: PositiveInt = Field(
        1200, description="Memory of a session's browser above which it is critical."
    )
    disk_warning_mb: PositiveInt = Field(1024, description="Free space on a worker's disk under which it is a warning.")
    disk_critical_mb: PositiveInt = Field(256, description="Free space on a worker's disk under which it is critical.")

    @field_validator("client_id")
    @classmethod
    def _session_id(cls, text: str) -> str:
        if not SESSION_ID.fullmatch(text):
            raise ValueError("a session id has 1 to 63 characters: small letters a-z, digits and hyphens")
        return text

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.memory_critical_mb < self.memory_warning_mb:
            raise ValueError("MEMORY_CRITICAL_MB must not be less than MEMORY_WARNING_MB")
        if self.disk_critical_mb > self.disk_warning_mb:
            raise ValueError("DISK_CRITICAL_MB must not be more than DISK_WARNING_MB")
        return self

    def monitor_options(self) -> BusOptions | None:
        """How to reach NATS as a user of its system account; None without a key for it."""
        seed = self.nats_monitor_nkey_seed.get_secret_value()
        return BusOptions(url=self.nats_url, nkey_seed=seed, name="monitor") if seed else None

    def thresholds(self) -> Thresholds:
        return Thresholds(
            max_session_size_mb=self.max_session_size_mb,
            session_timeout_seconds=self.session_timeout_ms / 1000,
            max_reconnect_attempts=self.max_reconnect_attempts,
            backup_interval_seconds=self.backup_interval_ms / 1000,
            save_interval_seconds=self.force_save_interval_ms / 1000,
            validation_interval_seconds=self.session_validation_interval_ms / 1000,
            memory_warning_mb=self.memory_warning_mb,
            memory_critical_mb=self.memory_critical_mb,
            disk_warning_mb=self.disk_warning_mb,
            disk_critical_mb=self.disk_critical_mb,
        )
