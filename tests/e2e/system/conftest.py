"""A stand-in that outlives the system, its phone, and a system that has not been started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_system import System

from standin.client import Phone
from standin.process import StandInProcess


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandInProcess]:
    with StandInProcess(tmp_path / "standin") as running:
        yield running


@pytest.fixture
def phone(standin: StandInProcess) -> Phone:
    return standin.phone


@pytest.fixture
def system(tmp_path: Path, standin: StandInProcess) -> Iterator[System]:
    made = System(tmp_path, standin.web_url)
    yield made
    made.end()
