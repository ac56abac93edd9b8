"""The settings of the backup service as the policies that they make."""

from __future__ import annotations

import base64
from datetime import timedelta

from pydantic import SecretStr

from backup.domain.generations import GenerationPolicy
from backup.domain.retention import RetentionPolicy
from backup.settings import Settings

KEY = SecretStr(base64.b64encode(bytes(range(32))).decode())


def test_each_setting_of_retention_is_in_the_policy() -> None:
    settings = Settings(
        master_key=KEY, retention_five_minute=2, retention_hourly=3, retention_daily=4, tombstone_hours=5
    )
    assert settings.retention == RetentionPolicy(five_minute=2, hourly=3, daily=4, cleared_for=timedelta(hours=5))


def test_each_setting_of_the_generations_is_in_the_policy() -> None:
    settings = Settings(master_key=KEY, generation_hours=6, orphan_hours=7)
    assert settings.generations == GenerationPolicy(max_age=timedelta(hours=6), orphan_after=timedelta(hours=7))


def test_the_defaults_of_the_settings_are_the_defaults_of_the_policies() -> None:
    settings = Settings(master_key=KEY)
    assert (settings.retention, settings.generations) == (RetentionPolicy(), GenerationPolicy())
