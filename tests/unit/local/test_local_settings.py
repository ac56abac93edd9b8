"""Settings of the local mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from persistent_session.errors import CliError, ExitCode
from persistent_session.settings import read_settings

HERE = Path("/work")


def test_without_any_variable_the_real_site_is_used_from_folders_beside_the_caller() -> None:
    found = read_settings({}, demo=False, here=HERE)
    assert found.data.path == HERE / "data"
    assert found.session_path == HERE / "persistent-session"
    assert found.backup_session_path == HERE / "session-backup"
    assert found.whatsapp_web_url == "https://web.whatsapp.com"
    assert (found.gateway_host, found.gateway_port, found.lease_policy) == ("127.0.0.1", 8080, "keep")


def test_the_demo_shares_no_folder_with_a_real_session() -> None:
    real, demo = (read_settings({}, demo=which, here=HERE) for which in (False, True))
    folders = {demo.session_path, demo.backup_session_path, demo.data.keys, demo.data.run}
    assert all(folder.is_relative_to(HERE / "data" / "demo") for folder in folders)
    assert not folders & {real.session_path, real.backup_session_path, real.data.keys, real.data.run}


def test_folders_are_taken_from_the_environment_and_made_absolute() -> None:
    environ = {"DATA_DIR": "x", "SESSION_PATH": "/p", "BACKUP_SESSION_PATH": "../q"}
    found = read_settings(environ, demo=True, here=HERE)
    assert (found.data.path, found.session_path, found.backup_session_path) == (HERE / "x", Path("/p"), Path("/q"))


def test_all_faults_are_told_at_once() -> None:
    environ = {
        "GATEWAY_PORT": "eighty",
        "CLIENT_ID": "Not Good",
        "LEASE_POLICY": "maybe",
        "WHATSAPP_WEB_URL": "file:///etc/passwd",
        "SESSION_PATH": "same",
        "BACKUP_SESSION_PATH": "./same",
        "API_KEY_FILE": "/nowhere/at-all",
    }
    with pytest.raises(CliError) as told:
        read_settings(environ, demo=False, here=HERE)
    assert told.value.code is ExitCode.USAGE
    for name in ("GATEWAY_PORT", "CLIENT_ID", "LEASE_POLICY", "WHATSAPP_WEB_URL", "SESSION_PATH", "API_KEY_FILE"):
        assert name in told.value.message


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8080 ", "٨٠٨٠", "1e3"])
def test_a_port_that_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(CliError, match="GATEWAY_PORT"):
        read_settings({"GATEWAY_PORT": port}, demo=False, here=HERE)


def test_the_key_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-secret-key-of-thirty-two-or-more\n")
    assert read_settings({"API_KEY_FILE": "key"}, demo=False, here=tmp_path).api_key == (
        "a-secret-key-of-thirty-two-or-more"
    )


@pytest.mark.parametrize("key", ["hunter2", "0123456789abcdef", "a" * 64])
def test_a_weak_key_is_refused_with_the_command_that_makes_one(tmp_path: Path, key: str) -> None:
    (tmp_path / "key").write_text(key)
    for environ in ({"API_KEY": key}, {"API_KEY_FILE": "key"}):
        with pytest.raises(CliError, match="openssl rand -hex 32") as refused:
            read_settings(environ, demo=False, here=tmp_path)
        assert key not in refused.value.message


def test_a_gateway_that_listens_everywhere_is_reached_on_loopback() -> None:
    environ = {"GATEWAY_HOST": "0.0.0.0", "GATEWAY_PORT": "9"}
    assert read_settings(environ, demo=False, here=HERE).gateway_url == "http://127.0.0.1:9"
