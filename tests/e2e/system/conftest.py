"""A stand-in that outlives the system, its phone, and a system that has not been started."""

from __future__ import annotations

from collections.abc import Generator, Iterator
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the system itself wrote: its folder is gone where the tests ran on another machine."""
    report = yield
    system = getattr(item, "funcargs", {}).get("system")
    if report.failed and isinstance(system, System):
        report.sections += system.last_log_lines()
    return report
