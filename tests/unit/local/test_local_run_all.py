"""`tests/run_all.py`: a test that is skipped for want of something fails the run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_run_all_under_test", ROOT / "tests" / "run_all.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run_all = _loaded()


def _report_of(folder: Path, *reasons: str, module_skip: str = "") -> Path:
    """pytest's own report of a file whose tests are skipped for these reasons."""
    lines = ["import pytest", *([f"pytest.skip({module_skip!r}, allow_module_level=True)"] if module_skip else [])]
    for number, reason in enumerate(reasons):
        lines += [f"@pytest.mark.skipif(True, reason={reason!r})", f"def test_{number}(): pass"]
    lines += ["def test_that_passes(): pass"]
    (folder / "test_some.py").write_text("\n".join(lines))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=report.xml", "test_some.py"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    return folder / "report.xml"


def test_a_skip_for_want_of_a_program_is_found(tmp_path: Path) -> None:
    report = _report_of(tmp_path, "needs a full Chromium", "no node on this machine")
    reasons = [reason for _, reason in run_all.unexpected_skips([report])]
    assert [reason.rpartition(": ")[2] for reason in reasons] == ["needs a full Chromium", "no node on this machine"]


def test_a_whole_file_that_is_skipped_is_found(tmp_path: Path) -> None:
    report = _report_of(tmp_path, module_skip="no library of that name")
    assert ["no library of that name" in reason for _, reason in run_all.unexpected_skips([report])] == [True]


def test_a_skip_that_no_set_up_can_avoid_passes(tmp_path: Path) -> None:
    report = _report_of(tmp_path, *run_all.EXPECTED_SKIPS)
    assert list(run_all.unexpected_skips([report])) == []


def test_a_report_without_skips_has_none(tmp_path: Path) -> None:
    assert list(run_all.unexpected_skips([_report_of(tmp_path)])) == []


@pytest.mark.parametrize(("reason", "code"), [("needs a full Chromium", 1), (None, 0)])
def test_the_run_fails_for_a_skip_although_pytest_passes(
    reason: str | None, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_all, "ARTEFACTS", tmp_path)
    skip = reason or next(iter(run_all.EXPECTED_SKIPS))

    def run(name: str) -> int:
        _report_of(tmp_path, skip).rename(tmp_path / f"tests-{name}.xml")
        return 0

    monkeypatch.setattr(run_all, "_run", run)
    assert run_all.main() == code
    assert ("the set-up must bring what the test needs" in capsys.readouterr().out) == bool(code)


def test_every_expected_skip_is_written_in_a_test_and_says_why() -> None:
    texts = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for pattern, cause in run_all.EXPECTED_SKIPS.items():
        assert f'"{pattern}"' in texts
        assert cause


def test_the_files_that_are_named_as_the_longest_are_there() -> None:
    from longest_first import LONGEST_FIRST

    for name in LONGEST_FIRST:
        assert (ROOT / "tests" / name).is_file(), name
