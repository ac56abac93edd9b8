"""The judgement of the benchmarks: each goal can be missed, and a missed one fails the run."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


def _loaded(name: str) -> ModuleType:
    """As a program finds its neighbours: with its own folder on the path."""
    before = list(sys.path)
    sys.path.insert(0, str(BENCH))
    try:
        spec = importlib.util.spec_from_file_location(f"_bench_{name}", BENCH / f"{name}.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path[:] = before


goals = _loaded("goals")


def _busy(slowest: float = 0.4, streams: int = 60, memory: float = 90.0) -> Any:
    waits = {"persistent-session, alone": [0.01] * 100, "live, 1000 slow clients": [*[0.05] * 98, slowest, slowest]}
    return _loaded("busy_gateway").Figures(waits=waits, memory={"at rest": 60.0, "after all": memory}, streams=streams)


FIGURES = {
    "start_to_connected": (({0: [0.2, 0.3, 0.2]},), ({0: [1.2, 0.9, 1.1]},)),
    "snapshot_pause": ((120.0, [16.0, 12.0, 40.0], [94.0]), (120.0, [31.0, 12.0, 40.0], [94.0])),
    "browser_memory": ((54e6, 100e6), (61e6, 100e6)),
    "status_rps": (([760.0], [1000.0]), ([490.0], [1000.0])),
    "bus_signing": ((500.0, 1000.0), (140.0, 1000.0)),
    "busy_gateway": ((_busy(),), (_busy(slowest=1.6),)),
    "resting_cpu": ((0.5, 10.4, 3.3), (0.5, 1.5, 3.3)),
    "backup_throughput": ((100.0, 72.0, 100.0, 43.0), (100.0, 49.0, 100.0, 43.0)),
}
"""Benchmark → figures that keep its goals, figures that miss one."""


def test_every_benchmark_that_is_run_is_judged_here() -> None:
    text = (BENCH / "__main__.py").read_text()
    programs = {path.stem for path in BENCH.glob("*.py")} - {"__main__", "goals", "__init__"}
    assert programs == set(FIGURES)
    assert all(f'"{name}"' in text for name in programs)


@pytest.mark.parametrize("name", FIGURES)
def test_each_benchmark_keeps_its_goals_with_good_figures_and_fails_with_bad_ones(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, (good, bad) = _loaded(name), FIGURES[name]
    assert bench.conclude(bench.judge(*good)) == 0
    assert "MISSED" not in capsys.readouterr().out
    assert bench.conclude(bench.judge(*bad)) == 1
    assert "MISSED" in capsys.readouterr().out


@pytest.mark.parametrize("bad", [{"slowest": math.inf}, {"streams": 59}, {"memory": 121.0}])
def test_each_goal_of_the_busy_gateway_can_be_missed(bad: dict[str, float]) -> None:
    bench = _loaded("busy_gateway")
    assert [outcome.reached for outcome in bench.judge(_busy(**bad))].count(False) == 1
    assert not all(outcome.reached for outcome in bench.judge(bench.Figures(waits={"live, crowded": [0.1] * 3})))


def test_a_slow_restore_misses_although_storing_is_fast() -> None:
    bench = _loaded("backup_throughput")
    assert [outcome.reached for outcome in bench.judge(100.0, 72.0, 100.0, 24.0)] == [True, False]


@pytest.mark.parametrize("goal", [value for value in vars(goals).values() if isinstance(value, goals.Goal)],
                         ids=lambda goal: goal.what)  # fmt: skip
def test_each_goal_is_missed_just_beyond_its_bound_and_by_what_is_no_number(goal: object) -> None:
    assert isinstance(goal, goals.Goal)
    bound, beyond = (goal.at_most, 1.01) if goal.at_most is not None else (goal.at_least, 0.99)
    assert goal.judge(bound).reached
    assert not goal.judge(bound * beyond).reached
    assert not goal.judge(math.nan).reached
    assert not goal.judge(math.inf).reached


def test_a_peer_that_measured_nothing_misses_the_goal() -> None:
    assert not goals.STATUS.judge(goals.ratio(100.0, 0.0)).reached
    assert not goals.MEMORY.judge(goals.percent_below(100.0, 0.0)).reached


def test_no_outcome_at_all_is_a_failure() -> None:
    assert goals.conclude([]) == 1


PROGRAM = """
import sys
sys.path.insert(0, {bench!r})
from goals import STATUS, conclude
code = conclude([STATUS.judge({figure})]) if {figure} is not None else 0
sys.exit({code} if {code} is not None else code)
"""


@pytest.mark.parametrize(
    ("figure", "code", "reached"),
    [(0.7, None, [True]), (0.3, None, [False]), (None, 0, [False]), (None, 1, [False]), (0.7, 3, [True, False])],
    ids=["kept", "missed", "nothing measured", "crashed", "crashed after a goal was kept"],
)  # fmt: skip
def test_the_run_of_all_fails_for_a_missed_goal_and_for_a_benchmark_that_crashes(
    figure: float | None, code: int | None, reached: list[bool], tmp_path: Path
) -> None:
    from tests.bench import __main__ as bench

    (tmp_path / "some_bench.py").write_text(PROGRAM.format(bench=str(BENCH), figure=figure, code=code))
    assert [outcome.reached for outcome in bench.run("some_bench", tmp_path)] == reached


@pytest.mark.parametrize(("reached", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_of_the_run_tells_whether_a_goal_was_missed(
    reached: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.bench import __main__ as bench

    outcome = bench.Outcome(what="a figure", measured="1", goal="at most 2", reached=reached)
    monkeypatch.setattr(bench, "run", lambda name: [outcome])
    assert bench.main([]) == code
    assert ("missed: a figure" in capsys.readouterr().out) == bool(code)
