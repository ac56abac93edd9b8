"""Settings of the backup service, read from environment variables of the same names."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from shared.runtime import ServiceSettings

from .domain.generations import GenerationPolicy
from .domain.retention import RetentionPolicy

_HOW = "make one with `openssl rand -base64 32` and keep it safe: backups cannot be read without it"


class Settings(ServiceSettings):
    s3_endpoint: str = Field("", description="URL of the S3 service; empty for AWS")
    s3_bucket: str = Field(
        "persistent-session", min_length=1, description="bucket; created at the start when it does not exist"
    )
    s3_access_key_id: SecretStr = Field(SecretStr(""), description="access key")
    s3_secret_access_key: SecretStr = Field(SecretStr(""), description="secret key")
    s3_tls_file: str = Field(
        "",
        description="PEM file with the only certificate that the object store may show, and the certificate and key "
        "that are shown to it; empty: its certificate is checked as any other, and none is shown",
    )
    s3_region: str = Field("us-east-1", description="region")
    s3_addressing_style: Literal["path", "virtual"] = Field("path", description="how the bucket is named in URLs")
    s3_connect_timeout_ms: int = Field(3000, gt=0, description="longest wait for a connection")
    s3_read_timeout_ms: int = Field(20000, gt=0, description="longest silence of the object store within a request")
    s3_attempts: int = Field(4, ge=1, description="attempts for each request")
    s3_budget_ms: int = Field(60000, gt=0, description="longest time for one operation with all its attempts")
    master_key: SecretStr = Field(
        SecretStr(""), validate_default=True, description="base64 of 32 bytes; wraps the data key of each session"
    )
    master_key_previous: SecretStr = Field(
        SecretStr(""), description="the previous master key, while keys are changed over"
    )
    max_snapshot_mb: int = Field(1024, gt=0, description="a larger snapshot is refused")
    max_manifest_mb: int = Field(32, gt=0, description="a larger manifest of a snapshot is refused")
    stores_at_once: int = Field(2, gt=0, description="snapshots stored at the same time; each takes about 40 MB")
    store_timeout_ms: int = Field(900000, gt=0, description="longest time for one backup")
    chunk_timeout_ms: int = Field(10000, gt=0, description="longest wait for one chunk from the owner; three attempts")
    scrub_after_store: bool = Field(
        True, description="read back and decrypt what was written before a backup counts as stored"
    )
    retention_five_minute: int = Field(12, ge=1, description="five-minute backups kept")
    retention_hourly: int = Field(24, ge=1, description="hourly backups kept")
    retention_daily: int = Field(14, ge=1, description="daily backups kept")
    retention_interval_ms: int = Field(300000, gt=0, description="time between two runs of retention")
    generation_hours: float = Field(24, gt=0, description="how long backups continue a generation")
    orphan_hours: float = Field(24, gt=0, description="packs of a failed backup are removed after this time")
    tombstone_hours: float = Field(24, ge=0, description="backups of a cleared session are removed after this time")
    store_probe_interval_ms: int = Field(15000, gt=0, description="time between two probes of the object store")

    @field_validator("master_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value():
            raise ValueError(f"there is none; {_HOW}")
        decode_key(value)
        return value

    @field_validator("master_key_previous")
    @classmethod
    def _is_a_key_or_empty(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            decode_key(value)
        return value

    @property
    def retention(self) -> RetentionPolicy:
        return RetentionPolicy(
            five_minute=self.retention_five_minute,
            hourly=self.retention_hourly,
            daily=self.retention_daily,
            cleared_for=timedelta(hours=self.tombstone_hours),
        )

    @property
    def generations(self) -> GenerationPolicy:
        return GenerationPolicy(
            max_age=timedelta(hours=self.generation_hours), orphan_after=timedelta(hours=self.orphan_hours)
        )


def decode_key(value: SecretStr) -> bytes:
    """32 bytes. Raises ValueError, never with the value in it."""
    try:
        key = base64.b64decode(value.get_secret_value().strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"it is not base64; {_HOW}") from None
    if len(key) != 32 or len(set(key)) < 8:
        raise ValueError(f"it is not 32 random bytes; {_HOW}")
    return key
