"""The settings become thresholds."""

from __future__ import annotations

import pytest

from health.domain.thresholds import Thresholds
from health.settings import HealthSettings
from shared.runtime import load_settings


def test_the_defaults_of_the_settings_are_the_defaults_of_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    optional = [name for name, field in HealthSettings.model_fields.items() if not field.is_required()]
    for name in optional:
        monkeypatch.delenv(name.upper(), raising=False)
    assert load_settings(HealthSettings).thresholds() == Thresholds()


def test_the_settings_of_the_whole_system_move_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_INTERVAL_MS", "1000")
    monkeypatch.setenv("MAX_SESSION_SIZE_MB", "7")
    limits = load_settings(HealthSettings).thresholds()
    assert (limits.backup_interval_seconds, limits.max_session_size_mb) == (1.0, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLIENT_ID", "No Id"),
        ("BACKUP_INTERVAL_MS", "0"),
        ("MAX_SESSION_SIZE_MB", "many"),
        ("MEMORY_WARNING_MB", "5000"),
        ("DISK_CRITICAL_MB", "5000"),
    ],
)
def test_an_impossible_setting_is_refused_with_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load_settings(HealthSettings)
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert name in lines[0]
