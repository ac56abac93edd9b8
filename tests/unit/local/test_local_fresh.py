"""What `make test-fresh` lets into the bare machine, and what it takes from the README."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from shared.testing import eventually_sync

ROOT = Path(__file__).resolve().parents[3]


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_fresh_{name}", ROOT / "tests" / "fresh" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


machine, readme, inside = _loaded("machine"), _loaded("readme"), _loaded("inside")


def test_the_bare_machine_holds_python_git_and_make_and_nothing_else() -> None:
    assert machine.PACKAGES == ("python3", "git", "make")


def test_the_way_to_the_registries_goes_inside_and_no_secret_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {
        "https_proxy": "http://127.0.0.1:3128", "NO_PROXY": "127.0.0.1", "PIP_INDEX_URL": "http://127.0.0.1/simple",
        "UV_DEFAULT_INDEX": "http://127.0.0.1/simple", "npm_config_registry": "http://127.0.0.1/npm",
        "S3_SECRET_ACCESS_KEY": "secret", "API_KEY": "secret", "PATH": "/elsewhere", "BROWSER_EXECUTABLE": "/x",
        "VIRTUAL_ENV": "/venv", "PYTHONPATH": "/x", "NODE_PATH": "/x", "PLAYWRIGHT_BROWSERS_PATH": "/x",
    })  # fmt: skip
    monkeypatch.setattr(machine, "pip_settings", dict)
    passed = set(machine.way_to_registries()) - {"SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"}
    assert passed == {"https_proxy", "NO_PROXY", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "npm_config_registry"}


def test_a_user_without_root_gets_the_lines_of_the_readme_one_for_each_command() -> None:
    for_demo, for_test = readme.apt_lines_for_no_root(ROOT)
    assert "chromium-headless-shell" in for_demo.split()
    assert set(for_demo.split()) < set(for_test.split())


def test_a_readme_without_the_lines_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("make demo\n")
    with pytest.raises(SystemExit, match="0 apt lines"):
        readme.apt_lines_for_no_root(tmp_path)


def test_a_process_that_was_left_behind_is_seen(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "input()", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        eventually_sync(lambda: any(str(tmp_path) in found for found in readme.commands_of(tmp_path)))
        process.kill()
    assert readme.commands_of(tmp_path) == []


def test_the_first_process_reaps_orphans_and_ends_with_the_code_of_its_child() -> None:
    code = f"""if True:
        import importlib.util, os, sys
        spec = importlib.util.spec_from_file_location("inside", {str(ROOT / "tests/fresh/inside.py")!r})
        inside = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(inside)
        python = sys.executable
        os.posix_spawn(python, [python, "-c", "pass"], os.environ)
        ends_later = "import time; time.sleep(0.5); raise SystemExit(7)"
        raise SystemExit(inside.reap_until(os.posix_spawn(python, [python, "-c", ends_later], os.environ)))
    """
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 7


def test_a_user_other_than_root_is_told_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(machine.Failed, match="sudo make test-fresh"):
        machine.check_machine()
