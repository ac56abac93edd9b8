"""`tests/soak.py`: goes round all long tests, within its time, and fails when one fails."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
TESTS = [f"tests/test_long.py::test_{number}" for number in range(7)]


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_soak_under_test", ROOT / "tests" / "soak.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


soak = _loaded()


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_every_test_has_its_turn_within_a_few_commits() -> None:
    first = [soak.rotated(TESTS, f"commit {number}")[0] for number in range(60)]
    assert set(first) == set(TESTS)
    for number in range(60):
        assert sorted(soak.rotated(TESTS, str(number))) == sorted(TESTS)


def test_no_test_is_started_when_the_time_is_over_but_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock()
    monkeypatch.setattr(soak, "CLOCK", clock)
    started = []
    for test in soak.within(TESTS, 100.0):
        started.append(test)
        clock.now += 40.0
    assert started == TESTS[:3]
    assert list(soak.within(TESTS, 0.0)) == TESTS[:1]
    assert list(soak.within(TESTS, None)) == TESTS


@pytest.mark.parametrize("failing", [[], TESTS[2:3]])
def test_the_run_fails_when_a_test_fails_and_goes_on_behind_it(
    failing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command[-1])
        return subprocess.CompletedProcess(command, 1 if command[-1] in failing else 0)

    monkeypatch.setattr(soak.subprocess, "run", run)
    assert soak.run(TESTS, None) == failing
    assert asked == TESTS
    assert f"{7 - len(failing)} passed, {len(failing)} failed" in capsys.readouterr().out


def test_continuous_integration_runs_the_readmes_command_and_a_part_of_the_long_tests() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    assert "make test && make soak SOAK_MINUTES=15" in text
