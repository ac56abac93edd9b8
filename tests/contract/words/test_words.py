"""The words of the glossary: what the documents name exists, and words that were given up do not come back."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("services", "shared", "deploy")
SHORT_PATHS = {
    "browser_worker/": "services/browser-worker/src/browser_worker/",
    "runner/": "services/browser-worker/src/browser_worker/runner/",
    "domain/": "services/browser-worker/src/browser_worker/domain/",
    "adapters/": "services/browser-worker/src/browser_worker/adapters/",
    "backup/": "services/backup/src/backup/",
    "gateway/": "services/gateway/src/gateway/",
    "health/": "services/health/src/health/",
    "shared/": "shared/src/shared/",
    "persistent_session/": "deploy/local/src/persistent_session/",
}
"""How the glossary's column "where it lives" shortens paths."""

GIVEN_UP = {
    "shelf": "repository", "shelved": "entry", "catalogue": "listing", "piece": "chunk", "spot": "location",
    "grave": "tombstone", "bury": "tombstone", "keeper": "backup scheduler", "stillness": "freeze guard",
    "hush": "suspended polling", "quietly": "suspended polling", "carried": "local-storage export",
    "carry": "local-storage export", "patience": "debounce",
    "unproven": "launches since connected", "sight": "sample", "usurper": "duplicate owner", "blame": "cause",
    "wish": "desired state", "wishes": "desired state", "essence": "fingerprint", "door": "dependencies",
    "tether": "parent-death signal", "telling": "console output",
    "leftovers": "stale processes", "settle": "what the function does", "settled": "what the function does",
}  # fmt: skip
"""Word → the one that replaced it. As a part of a name in the product, such as `keeper` in `_keeper_task`."""


@cache
def _python_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split() if name.split("/")[0] in PRODUCT and (ROOT / name).is_file()]


@cache
def _places_of_words() -> dict[str, set[str]]:
    """Word → where it is a part of a name."""
    places: dict[str, set[str]] = defaultdict(set)
    for path in _python_files():
        for name in _names(path):
            for word in _words(name):
                places[word].add(f"{path.relative_to(ROOT)}: {name}")
    return places


def _names(path: Path) -> Iterator[str]:
    """Every identifier of a file, and the names of the file and its folders."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.NAME:
            yield token.string
    yield from path.relative_to(ROOT).with_suffix("").parts


def _words(name: str) -> list[str]:
    """`_keepAlive_task` → keep, alive, task."""
    return [word.lower() for part in name.split("_") for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", part)]


@pytest.mark.parametrize("given_up", sorted(GIVEN_UP))
def test_a_word_that_was_given_up_names_nothing_in_the_product(given_up: str) -> None:
    found = sorted(place for place in _places_of_words().get(given_up, ()) if "carried_out" not in place)
    assert not found, f"say {GIVEN_UP[given_up]!r}: {found}"


def test_the_prose_does_without_the_phrases_that_were_given_up() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.split() if name.split("/")[0] in (*PRODUCT, "docs", "README.md")]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in files
        if path.is_file()
        for line in path.read_text().splitlines()
        if re.search(r"\b(by itself|meanwhile)\b", line, re.IGNORECASE)
    ]
    assert not found
    assert len(files) > 200


def _paths(document: str) -> set[str]:
    text = (ROOT / document).read_text()
    quoted = re.findall(r"`([\w./…-]+/[\w./-]*)`", text)
    return {name for name in quoted if "…" not in name and not name.startswith((".", "/")) and " " not in name}


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "docs/glossary.md"])
def test_every_path_that_a_document_names_exists(document: str) -> None:
    missing = [name for name in _paths(document) if not _exists(name)]
    assert not missing, f"{document} names what is not there: {sorted(missing)}"
    assert len(_paths(document)) > 10


def _exists(name: str) -> bool:
    if (ROOT / name).exists():
        return True
    return any(
        name.startswith(short) and (ROOT / (long + name.removeprefix(short))).exists()
        for short, long in SHORT_PATHS.items()
    ) or any((ROOT / long / name).exists() for long in SHORT_PATHS.values())


def test_every_class_that_the_glossary_names_exists() -> None:
    named = set(re.findall(r"`([A-Z][A-Za-z]+)(?:\.\w+)?`", (ROOT / "docs/glossary.md").read_text()))
    defined = {
        node.name
        for path in _python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    assert named <= defined, f"the glossary names {sorted(named - defined)}"
    assert len(named) > 15
