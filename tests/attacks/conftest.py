"""One linked system for the attacks of a file. An attack that breaks it starts its own with `System`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_system import System, link

from standin.client import Phone
from standin.process import StandInProcess

HERE = Path(__file__).parent
SECONDS = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInProcess]:
    with StandInProcess(tmp_path_factory.mktemp("standin")) as running:
        yield running


@pytest.fixture(scope="module")
def phone(standin: StandInProcess) -> Phone:
    return standin.phone


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that other users reach, unlike pytest's own: the system must keep them out, not a folder above it."""
    folder = Path(tempfile.mkdtemp(prefix="attacked-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def system(open_folder: Path, standin: StandInProcess, phone: Phone) -> Iterator[System]:
    """Started, linked and connected."""
    made = System(open_folder, standin.web_url)
    try:
        made.up()
        link(made, phone)
        yield made
    finally:
        made.end()
