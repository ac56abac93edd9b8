"""The one search for a browser, on machines that are made of temporary folders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shared import browsers
from shared.browsers import NoBrowser, browser_of, find_browser, is_headless_shell


class Machine:
    """Folders with programs in them, and the environment that points to them."""

    def __init__(self, root: Path) -> None:
        self.bin = root / "bin"
        self.home = root / "home"
        self.environ = {"PATH": str(self.bin), "HOME": str(self.home)}

    def program(self, path: Path | str, text: str = "#!/bin/sh\n", *, mode: int = 0o700) -> Path:
        made = self.bin / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(text)
        made.chmod(mode)
        return made

    def downloaded(self, path: str, cache: Path | None = None) -> Path:
        return self.program((cache or self.home / ".cache" / "ms-playwright") / path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    nowhere: dict[str, tuple[str, ...]] = {"headless-shell": (), "chromium": ()}
    monkeypatch.setattr(browsers, "_FIXED", nowhere)
    return Machine(tmp_path)


def test_a_headless_shell_is_preferred_wherever_it_lies(machine: Machine) -> None:
    full = machine.program("chromium")
    assert browser_of(machine.environ) == full
    shell = machine.downloaded("chromium_headless_shell-1255/chrome-linux64/headless_shell")
    assert browser_of(machine.environ) == shell
    packaged = machine.program("chromium-headless-shell")
    assert browser_of(machine.environ) == packaged
    assert [is_headless_shell(path) for path in (full, shell, packaged)] == [False, True, True]


def test_a_demand_for_the_full_browser_is_never_met_by_a_shell(machine: Machine) -> None:
    machine.program("chromium-headless-shell")
    with pytest.raises(NoBrowser, match="apt-get install chromium`"):
        browser_of(machine.environ | {"BROWSER": "chromium"})
    full = machine.downloaded("chromium-1255/chrome-linux64/chrome")
    assert browser_of(machine.environ | {"BROWSER": "chromium"}) == full
    assert find_browser("chromium", environ=machine.environ) == full


def test_a_given_browser_goes_before_all_others(machine: Machine, tmp_path: Path) -> None:
    machine.program("chromium-headless-shell")
    own = machine.program(tmp_path / "own" / "browser")
    assert browser_of(machine.environ | {"BROWSER_EXECUTABLE": str(own)}) == own
    assert find_browser("chromium", own, environ=machine.environ) == own


def test_a_given_browser_that_cannot_be_run_is_refused_and_not_replaced(machine: Machine, tmp_path: Path) -> None:
    machine.program("chromium-headless-shell")
    with pytest.raises(NoBrowser, match="BROWSER_EXECUTABLE"):
        browser_of(machine.environ | {"BROWSER_EXECUTABLE": str(tmp_path / "none")})


def test_the_newest_download_is_taken_by_number_not_by_text(machine: Machine) -> None:
    machine.downloaded("chromium_headless_shell-99/chrome-linux/headless_shell")
    newest = machine.downloaded("chromium_headless_shell-1255/chrome-headless-shell-linux64/chrome-headless-shell")
    machine.downloaded("chromium_headless_shell-1001/chrome-linux64/headless_shell")
    assert browser_of(machine.environ) == newest


@pytest.mark.parametrize("name", ["PLAYWRIGHT_BROWSERS_PATH", "XDG_CACHE_HOME"])
def test_downloads_are_looked_for_where_playwright_puts_them(machine: Machine, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "elsewhere"
    cache = folder if name == "PLAYWRIGHT_BROWSERS_PATH" else folder / "ms-playwright"
    shell = machine.downloaded("chromium_headless_shell-7/chrome-linux64/headless_shell", cache)
    assert browser_of(machine.environ | {name: str(folder)}) == shell


def test_a_snap_and_the_script_that_asks_for_one_are_passed_over(machine: Machine, tmp_path: Path) -> None:
    snap = machine.program(tmp_path / "snap" / "bin" / "chromium")
    (machine.bin / "chromium").parent.mkdir(exist_ok=True)
    (machine.bin / "chromium").symlink_to(snap)
    machine.program("chromium-browser", '#!/bin/sh\nexec /snap/bin/chromium "$@"\n')
    with pytest.raises(NoBrowser, match="playwright install"):
        browser_of(machine.environ)
    chrome = machine.program("google-chrome")
    assert browser_of(machine.environ) == chrome


def test_a_file_that_is_no_program_is_passed_over(machine: Machine) -> None:
    machine.program("chromium-headless-shell", mode=0o600)
    full = machine.program("chromium")
    assert browser_of(machine.environ) == full


def test_the_distributions_own_folder_is_looked_into(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shell = machine.program(tmp_path / "lib" / "headless_shell")
    monkeypatch.setattr(browsers, "_FIXED", {"headless-shell": (str(shell),), "chromium": ()})
    machine.program("chromium")
    assert browser_of(machine.environ) == shell


def test_asking_costs_no_more_than_the_standard_library() -> None:
    """The set-up asks before anything else can be taken for granted."""
    code = (
        "import sys; from shared.browsers import browser_of;"
        "print([name for name in ('pydantic', 'nats') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
