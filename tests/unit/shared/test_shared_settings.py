"""Settings: all faults at once, in sentences, without values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from shared.bus.credentials import new_seed
from shared.runtime import Milliseconds, ServiceSettings, load_settings, on_railway
from shared.runtime.redaction import clean
from shared.runtime.settings import RAILWAY_VARIABLES, default_backup_session_path, default_session_path
from shared.testing import bus_environment


class ShopSettings(ServiceSettings):
    api_key: SecretStr
    backup_interval_ms: Milliseconds = 300_000
    browser: str = Field(default="chromium", pattern="^(chromium|headless-shell)$")
    master_key: SecretStr = SecretStr("")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ShopSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    for name, value in bus_environment().items():
        monkeypatch.setenv(name, value)


def faults(capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as caught:
        load_settings(ShopSettings)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_defaults_hold_where_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "a-secret-key")
    settings = load_settings(ShopSettings)
    assert settings.backup_interval_ms == 300_000
    assert settings.nats_url == "nats://127.0.0.1:4222"
    assert settings.instance.endswith(f"-{__import__('os').getpid()}")


def test_all_faults_are_reported_at_once_and_no_value_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BACKUP_INTERVAL_MS", "hunter2")
    monkeypatch.setenv("HTTP_PORT", "70000")
    monkeypatch.setenv("BROWSER", "netscape")
    lines = faults(capsys)
    assert sorted(lines) == [
        "API_KEY is not set; it is required.",
        "BACKUP_INTERVAL_MS must be a whole number.",
        "BROWSER must match ^(chromium|headless-shell)$.",
        "HTTP_PORT must be at most 65535.",
    ]
    assert not any(value in "\n".join(lines) for value in ("hunter2", "70000", "netscape"))


@pytest.mark.parametrize("value", ["0", "-5"])
def test_milliseconds_are_at_least_one(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_KEY", "a-secret-key")
    monkeypatch.setenv("BACKUP_INTERVAL_MS", value)
    assert faults(capsys) == ["BACKUP_INTERVAL_MS must be at least 1."]


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("API_KEY", "")
    monkeypatch.setenv("BACKUP_INTERVAL_MS", "")
    assert faults(capsys) == ["API_KEY is not set; it is required."]


def test_a_secret_is_read_from_the_file_that_its_variable_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    monkeypatch.setenv("API_KEY_FILE", str(file))
    assert load_settings(ShopSettings).api_key.get_secret_value() == "from-a-file"


def test_faults_of_secret_files_are_reported_with_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text("\n")
    monkeypatch.setenv("API_KEY_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("MASTER_KEY_FILE", str(tmp_path / "empty"))
    monkeypatch.setenv("LOG_LEVEL", "loud")
    assert sorted(faults(capsys)) == [
        "API_KEY_FILE names a file that cannot be read: No such file or directory.",
        "LOG_LEVEL must match ^(debug|info|warning|error)$.",
        "MASTER_KEY_FILE names an empty file.",
    ]


def test_a_secret_given_twice_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("from-a-file")
    monkeypatch.setenv("API_KEY", "from-the-environment")
    monkeypatch.setenv("API_KEY_FILE", str(tmp_path / "key"))
    assert faults(capsys) == ["API_KEY and API_KEY_FILE are both set; keep one of them."]


def test_only_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "browser").write_text("headless-shell")
    monkeypatch.setenv("API_KEY", "a-secret-key")
    monkeypatch.setenv("BROWSER_FILE", str(tmp_path / "browser"))
    assert load_settings(ShopSettings).browser == "chromium"


def test_settings_cannot_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "a-secret-key")
    settings = load_settings(ShopSettings)
    with pytest.raises(ValueError, match="frozen"):
        settings.browser = "other"  # type: ignore[misc]


def test_a_secret_that_was_loaded_is_redacted_in_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "correct-horse-battery")
    settings = load_settings(ShopSettings)
    assert "horse" not in repr(settings)
    assert clean("refused: correct-horse-battery") == "refused: [redacted]"


def test_the_bus_options_carry_the_seed_but_never_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "a-secret-key")
    seed = new_seed()
    monkeypatch.setenv("NATS_NKEY_SEED", seed)
    options = load_settings(ShopSettings).bus_options("gateway")
    assert options.nkey_seed == seed
    assert seed not in repr(options)
    assert options.inbox == "_INBOX.gateway"


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("NATS_NKEY_SEED", "", "NATS_NKEY_SEED is not set; it is required."),
        ("NATS_NKEY_SEED", "SUAWRONG", "NATS_NKEY_SEED is wrong: not an nkey seed."),
        ("BUS_KEYS", "", "BUS_KEYS is not set; it is required."),
        ("BUS_KEYS", "many", "BUS_KEYS cannot be read: it must be JSON."),
        ("BUS_KEYS", '{"gateway": "UWRONG"}', "BUS_KEYS is wrong: the key of gateway is no public nkey."),
    ],
)
def test_without_the_keys_of_the_bus_a_service_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str, fault: str
) -> None:
    monkeypatch.setenv("API_KEY", "a-secret-key")
    monkeypatch.setenv(variable, value)
    assert faults(capsys) == [fault]


@pytest.mark.parametrize("variable", RAILWAY_VARIABLES)
def test_each_of_railways_variables_means_that_we_run_there(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in RAILWAY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert not on_railway()
    assert (default_session_path(), default_backup_session_path()) == ("./persistent-session", "./session-backup")
    monkeypatch.setenv(variable, "shop")
    assert on_railway()
    assert (default_session_path(), default_backup_session_path()) == (
        "/app/persistent-session",
        "/tmp/session-backup",
    )


def test_railway_is_known_in_one_module() -> None:
    root = Path(__file__).parents[3]
    known = re.compile(r"RAILWAY_PROJECT|/app/persistent-session|/tmp/session-backup")
    folders = ("shared/src", "services", "deploy/local/src", "docs")
    files = [path for folder in folders for path in (root / folder).rglob("*.py")]
    spelled = [path.relative_to(root) for path in files if known.search(path.read_text(encoding="utf-8"))]
    assert spelled == [Path("shared/src/shared/runtime/settings.py")]
