"""The environment: no default key, and the mission's paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import GatewaySettings
from shared.runtime import load_settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "API_KEY_FILE", "SESSION_PATH", "BACKUP_SESSION_PATH", "RAILWAY_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("RAILWAY_PROJECT_NAME", raising=False)


def test_a_missing_key_stops_the_start_with_one_line_that_says_how_to_make_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        load_settings(GatewaySettings)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err.strip()
    assert "\n" not in printed
    assert "API_KEY" in printed
    assert "openssl rand -hex 32" in printed


@pytest.mark.parametrize("key", ["hunter2", "0123456789abcdef", "f" * 31])
def test_a_guessable_key_stops_the_start_and_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    monkeypatch.setenv("API_KEY", key)
    with pytest.raises(SystemExit):
        load_settings(GatewaySettings)
    printed = capsys.readouterr().err
    assert "32" in printed
    assert "openssl rand -hex 32" in printed
    assert key not in printed


def test_the_key_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef0123456789abcdef\n")
    monkeypatch.setenv("API_KEY_FILE", str(tmp_path / "key"))
    settings = load_settings(GatewaySettings)
    assert settings.api_key.get_secret_value() == "0123456789abcdef0123456789abcdef"
    assert "0123456789abcdef" not in repr(settings)


def test_the_paths_are_the_missions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "0123456789abcdef" * 2)
    here = load_settings(GatewaySettings)
    assert (here.session_path, here.backup_session_path) == ("./persistent-session", "./session-backup")
    assert (here.client_id, here.trusted_proxies) == ("whatsapp-automation-pro-v2", 0)
    monkeypatch.setenv("RAILWAY_PROJECT_NAME", "shop")
    there = load_settings(GatewaySettings)
    assert (there.session_path, there.backup_session_path) == ("/app/persistent-session", "/tmp/session-backup")
    assert there.trusted_proxies == 1
