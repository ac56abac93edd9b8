"""The set-up program and what it installs from."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "requirements").glob("*.txt"))


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_{path.stem}_under_test", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


prepare = _loaded(ROOT / "deploy" / "local" / "prepare.py")
compiling = _loaded(ROOT / "requirements" / "compile.py")


def _pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[.*?\])?==(\S+)", text, re.MULTILINE | re.IGNORECASE))


def test_every_dependency_of_every_member_is_pinned_to_a_version_that_fits() -> None:
    pins = _pins("runtime.txt")
    for member in compiling.members():
        project = tomllib.loads((member / "pyproject.toml").read_text())
        for text in [*project["project"]["dependencies"], *project["build-system"]["requires"]]:
            need = Requirement(text)
            if not compiling.OURS.match(need.name):
                assert need.name in pins, f"{member.name} needs {text}: run `make requirements`"
                assert need.specifier.contains(pins[need.name]), f"{member.name} needs {text}: run `make requirements`"


def test_the_members_that_are_installed_are_those_of_the_workspace() -> None:
    assert {ROOT / member for member in prepare.MEMBERS} == set(compiling.members())


def test_what_the_tests_run_on_is_what_users_run_on() -> None:
    runtime, dev = _pins("runtime.txt"), _pins("dev.txt")
    assert runtime.items() <= dev.items()
    wanted = [Requirement(line).name for line in (ROOT / "requirements" / "dev.in").read_text().splitlines()]
    assert set(wanted) <= set(dev)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_pin_has_a_hash_and_no_file_names_a_registry(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*--(extra-)?index|find-links|trusted-host", text, re.MULTILINE)
    for block in re.split(r"\n(?=\S)", text):
        if block.strip() and not block.startswith("#"):
            assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "persistent-session" not in text, "our own names must never be looked up in a registry"


def test_the_npm_lock_file_names_no_registry_and_checks_every_package() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for name, about in lock.items():
        if name:
            assert about["integrity"].startswith("sha512-")
            assert "resolved" not in about


def test_the_set_up_needs_nothing_but_the_standard_library() -> None:
    text = (ROOT / "deploy" / "local" / "prepare.py").read_text()
    imported = set(re.findall(r"^(?:import|from) ([a-z_]+)", text, re.MULTILINE))
    assert imported <= sys.stdlib_module_names | {"__future__"}


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("error: No space left on device (os error 28)", "make room"),
        ("npm error code ENOTFOUND\nnpm error network request failed", "check the network"),
        ("error sending request for url\n dns error", "check the network"),
        ("ERROR: Could not find a version that satisfies the requirement uv==1", "check the network"),
        ("npm error code EINTEGRITY", "do not install it"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "do not install it"),
        ("PermissionError: [Errno 13] Permission denied: '/x'", "you may not write there"),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend", "another apt"),
        ("something else", "as it was"),
    ],
)
def test_each_known_cause_of_a_failure_gets_its_own_advice(said: str, hint: str) -> None:
    assert hint in prepare.explain(said, "as it was")


def test_the_line_that_is_shown_is_the_one_that_says_why() -> None:
    assert prepare.last_line("Collecting x\nERROR: no such thing\n\nNotice: a new pip\n") == "ERROR: no such thing"
    assert prepare.last_line("a\nb\n") == "b"
    assert prepare.last_line("") == "it said nothing"


def test_another_content_of_any_input_asks_for_a_new_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("package-lock.json", "package.json", *(f"{member}/pyproject.toml" for member in prepare.MEMBERS)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "runtime.txt").write_text("a==1")
    monkeypatch.setattr(prepare, "ROOT", tmp_path)
    before = prepare.inputs()
    assert prepare.inputs() == before
    (tmp_path / "requirements" / "runtime.txt").write_text("a==2")
    assert prepare.inputs() != before


def test_whatever_the_set_up_found_and_is_lost_since_is_noticed_although_the_inputs_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [tmp_path / name for name in ("python", "persistent-session", "wa.js", "headless-shell", "chromium")]
    for path in there:
        path.write_text("")
    monkeypatch.setattr(prepare, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(prepare, "UNFINISHED", tmp_path / "unfinished")
    prepare.write_stamp("run", list(map(str, there)))
    assert prepare.is_prepared("run")
    assert not prepare.is_prepared("test")
    for path in there:
        path.unlink()
        assert not prepare.is_prepared("run")
        path.write_text("")
    (tmp_path / "unfinished").touch()
    assert not prepare.is_prepared("run")


def test_a_complete_set_up_for_tests_serves_to_run_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "STAMP", tmp_path / "stamp")
    prepare.write_stamp("test", [sys.executable])
    assert prepare.is_prepared("run")
    assert prepare.is_prepared("test")


def test_a_damaged_stamp_or_one_of_an_older_program_asks_for_a_new_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "STAMP", tmp_path / "stamp")
    for text in ("{", "[]", json.dumps({"test": prepare.inputs(), "browser": sys.executable}),
                 json.dumps({"test": {"inputs": prepare.inputs(), "paths": []}})):  # fmt: skip
        (tmp_path / "stamp").write_text(text)
        assert not prepare.is_prepared("test")


def _steps_of(purpose: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[list[str], list[str]]:
    """The steps' names and the paths of the stamp, with every step but the browsers replaced."""
    asked: list[str] = []
    stamped: list[str] = []
    monkeypatch.setattr(prepare, "UNFINISHED", tmp_path / "unfinished")
    (tmp_path / "unfinished").touch()

    def do(name: str, work: object) -> str:
        asked.append(name)
        return f"/found/{name}" if name.startswith(("browser ", "Node")) else "3 packages"

    monkeypatch.setattr(prepare, "step", do)
    monkeypatch.setattr(prepare, "write_stamp", lambda purpose, paths: stamped.extend(paths))
    prepare.prepare(purpose)
    return asked, stamped


def test_the_tests_get_both_browsers_and_node_and_the_stamp_looks_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, stamped = _steps_of("test", monkeypatch, tmp_path)
    for name in ("browser headless-shell", "browser chromium", "Node"):
        assert name in asked
        assert f"/found/{name}" in stamped


def test_a_user_gets_one_browser_and_no_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, _ = _steps_of("run", monkeypatch, tmp_path)
    assert [name for name in asked if name.startswith("browser")] == ["browser driver", "browser"]
    assert "Node" not in asked


@pytest.mark.parametrize(
    ("kind", "chosen", "found"),
    [
        ("headless-shell", "/usr/bin/chromium-headless-shell", True),
        ("headless-shell", "/usr/bin/chromium", False),
        ("chromium", "/usr/bin/chromium", True),
        ("", "/usr/bin/chromium", True),
        ("", "", False),
    ],
)
def test_a_browser_of_another_kind_does_not_pass_for_the_one_that_is_needed(
    kind: str, chosen: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "{chosen}"\n')
    python.chmod(0o700)
    monkeypatch.setattr(prepare, "PYTHON", python)
    monkeypatch.setattr(prepare, "works", lambda command: True)
    assert prepare.find_browser(kind) == (chosen if found else "")


@pytest.mark.parametrize("name", ["README.md", "README.ar.md"])
def test_the_readme_tells_a_user_without_root_the_same_packages_as_the_set_up(name: str) -> None:
    lines = re.findall(r"^apt-get install (.*)$", (ROOT / name).read_text(), re.MULTILINE)
    assert [line.split() for line in lines] == [list(prepare.ROOT_PACKAGES[purpose]) for purpose in ("run", "test")]
    for purpose, packages in prepare.ROOT_PACKAGES.items():
        assert " ".join(packages) in prepare.root_hint(purpose)
