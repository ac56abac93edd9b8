"""The one back-off."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.backoff import Backoff

ROOT = Path(__file__).parents[3]
FORMULA = ROOT / "shared/src/shared/backoff.py"


def test_the_delay_doubles_up_to_its_cap() -> None:
    backoff = Backoff(first=0.5, longest=30.0)
    assert [backoff.delay(attempt) for attempt in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.delay(10**9) == 30


def test_jitter_takes_at_most_half() -> None:
    backoff = Backoff(first=2.0, longest=30.0)
    assert [backoff.delay(2, jitter) for jitter in (0.0, 0.5, 1.0)] == [2.0, 3.0, 4.0]


@given(attempt=st.integers(1, 10**6), jitter=st.floats(0, 1), first=st.floats(0.01, 60), longest=st.floats(60, 600))
def test_every_delay_lies_between_half_of_the_first_and_the_cap(
    attempt: int, jitter: float, first: float, longest: float
) -> None:
    assert first / 2 <= Backoff(first, longest).delay(attempt, jitter) <= longest


def test_no_second_formula_grows_a_delay() -> None:
    product = [path for part in ("shared/src", "services", "deploy/local/src") for path in (ROOT / part).rglob("*.py")]
    assert [path for path in product if grows_a_delay(path.read_text(encoding="utf-8"))] == [FORMULA]


@pytest.mark.parametrize(
    "code",
    ["delay = first * 2 ** attempt", "delay = 2.0 ** min(n, 10)", "delay = min(delay * 2, cap)", "delay *= 1.5"],
)
def test_the_search_finds_a_second_formula(code: str) -> None:
    assert grows_a_delay(code)


def grows_a_delay(code: str) -> bool:
    """A power of a constant with a variable exponent, or a variable that grows by a constant factor."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.BinOp(op=ast.Pow(), left=ast.Constant(), right=exponent) if not isinstance(exponent, ast.Constant):
                return True
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if any(
                isinstance(part, ast.BinOp)
                and isinstance(part.op, ast.Mult)
                and isinstance(part.left, ast.Name)
                and part.left.id == name
                and isinstance(part.right, ast.Constant)
                for part in ast.walk(value)
            ):
                return True
            case ast.AugAssign(op=ast.Mult(), value=ast.Constant()):
                return True
    return False
