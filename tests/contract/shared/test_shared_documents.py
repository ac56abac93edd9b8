"""The generated documents say what the code does."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from shared.runtime.settings import RAILWAY_VARIABLES

DOCS = Path(__file__).parents[3] / "docs"
SCRIPT = DOCS / "generate.py"
DOCUMENTS = runpy.run_path(str(SCRIPT))["DOCUMENTS"]
MARK = "ritten by `make docs`"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_not_stale(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == DOCUMENTS[name](), f"docs/{name} is stale: run `make docs`"


def test_the_settings_are_documented_as_on_a_plain_machine_also_on_railway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RAILWAY_VARIABLES[1], "shop")
    text = DOCUMENTS["configuration.md"]()
    assert "`./persistent-session`; on Railway `/app/persistent-session`" in text
    assert text == (DOCS / "configuration.md").read_text(encoding="utf-8")


def test_every_document_that_says_it_is_generated_is_in_the_table() -> None:
    marked = {path.name for path in DOCS.rglob("*.md") if MARK in path.read_text(encoding="utf-8")}
    assert marked == {name for name in DOCUMENTS if name.endswith(".md")}


def test_the_tables_have_no_broken_rows() -> None:
    for name, text in DOCUMENTS.items():
        widths: list[int] = []
        for line in text().splitlines() if name.endswith(".md") else ():
            if line.startswith("|"):
                widths.append(line.replace("\\|", "").count("|"))
            elif widths:
                assert len(set(widths)) == 1, name
                widths = []


def test_the_command_writes_every_document_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path)], check=True, timeout=60)
    assert {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()} == {
        name: text() for name, text in DOCUMENTS.items()
    }
