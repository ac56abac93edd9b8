"""Set up a fresh machine: `python3 prepare.py run` (for `up` and `demo`) or `python3 prepare.py test`.

The program uses the standard library only, because it runs before anything is installed. The tools that it starts read
the PIP_*, UV_*, NPM_* and proxy settings of the environment. Every step is idempotent and safe to interrupt.

The second run takes well under a second: a stamp holds a hash of all inputs and the paths of what was found or
installed. The steps run again when an input has changed or a path has gone.

What only root can install comes from apt. Without root the program finds what is there, and tries Playwright's download
of a browser; where that fails the program names the apt line that an administrator runs (`ROOT_PACKAGES`).
`make test-fresh` proves both ways in a bare Debian.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
BIN = VENV / "bin"
PYTHON = BIN / "python"
STAMP = VENV / "prepared.json"
LOG = VENV / "prepare.log"
UNFINISHED = VENV / "unfinished"
"""Exists while packages are installed. At a start it means that an installer was killed half-way, which no installer
notices: the environment is made anew."""
NODE_MODULES = ROOT / "node_modules"
REQUIREMENTS = {"run": ("runtime.txt",), "test": ("dev.txt",)}
MEMBERS = ("shared", "services/gateway", "services/browser-worker", "services/backup", "services/health",
           "deploy/local", "tests/standin")  # fmt: skip
BROWSERS = {"run": ("",), "test": ("headless-shell", "chromium")}
"""The kinds of Chromium that a purpose needs; "" is whichever is there, the leanest first. The tests need both: the
product runs in the headless shell, the old system and a person's browser are a full Chromium."""
APT_BROWSERS = {
    "": ("chromium-headless-shell", "chromium"),
    "headless-shell": ("chromium-headless-shell",),
    "chromium": ("chromium",),
}
ROOT_PACKAGES = {
    "run": ("python3-venv", "libatomic1", "chromium-headless-shell"),
    "test": ("python3-venv", "libatomic1", "chromium-headless-shell", "chromium", "fontconfig", "fonts-noto-core"),
}
"""What only root can install, as Debian names it. The README shows the same lines."""
LEAST_FREE_BYTES = {"run": 1_500_000_000, "test": 2_500_000_000}
OLDEST_PYTHON = (3, 11)
NEWER_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3.14")


class Failed(Exception):
    """A step that failed: one line, and what to do about it."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def main() -> int:
    purpose = sys.argv[1] if len(sys.argv) > 1 else "run"
    if purpose not in REQUIREMENTS:
        print("usage: prepare.py run|test", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        use_new_python()
        if not is_prepared(purpose):
            with_lock(purpose)
    except Failed as failed:
        print(f"\n✗ {failed.what}\n  → {failed.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n✗ interrupted\n  → run the same command again: it goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _as_interrupt(number: int, frame: object) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def use_new_python() -> None:
    """Go on in a newer Python where `python3` itself is too old."""
    if sys.version_info >= OLDEST_PYTHON:
        return
    newer = next((found for name in NEWER_PYTHONS if (found := shutil.which(name))), None)
    if newer is None:
        have = ".".join(map(str, sys.version_info[:2]))
        raise Failed(
            f"Python {have} is too old, 3.11 or newer is needed", "install it, or name it: make PYTHON=python3.12 …"
        )
    os.execv(newer, [newer, str(Path(__file__).resolve()), *sys.argv[1:]])  # noqa: S606


# whether there is anything to do


def inputs() -> str:
    """A hash of everything that the set-up depends on."""
    files = [
        Path(__file__).resolve(),
        ROOT / "package-lock.json",
        ROOT / "package.json",
        *sorted((ROOT / "requirements").glob("*.txt")),
        *(ROOT / member / "pyproject.toml" for member in MEMBERS),
    ]
    found = hashlib.sha256(f"{ROOT} {sys.version} {sys.platform}".encode())
    for path in files:
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def read_stamp() -> dict[str, dict[str, object]]:
    try:
        found = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return {name: about for name, about in found.items() if isinstance(about, dict)} if isinstance(found, dict) else {}


def is_prepared(purpose: str) -> bool:
    """Whether an earlier run did all this, and nothing of it has gone since. A set-up for tests serves `run` too."""
    if UNFINISHED.exists():
        return False
    stamp, wanted = read_stamp(), inputs()
    entries = [stamp[name] for name in {purpose, "test"} if name in stamp]
    return any(about.get("inputs") == wanted and all_there(about.get("paths")) for about in entries)


def all_there(paths: object) -> bool:
    return isinstance(paths, list) and bool(paths) and all(Path(str(path)).exists() for path in paths)


def wa_js() -> Path:
    return NODE_MODULES / "@wppconnect" / "wa-js" / "dist" / "wppconnect-wa.js"


def with_lock(purpose: str) -> None:
    """Let one set-up run at a time. The second waits, and usually finds nothing left to do."""
    handle = os.open(Path(__file__).resolve().parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another set-up is at work here; waiting for it", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if is_prepared(purpose):
                return
        prepare(purpose)
    finally:
        os.close(handle)


# the steps


def prepare(purpose: str) -> None:
    began = time.monotonic()
    print("Setting up (a few minutes the first time)", flush=True)
    check_disk(purpose)
    steps = [
        ("Python environment", lambda: make_environment(purpose)),
        ("uv", install_uv),
        ("Python packages", lambda: install_packages(purpose)),
        ("our own packages", install_members),
        ("Node packages", lambda: install_node_packages(purpose)),
        ("browser driver", lambda: check_driver(purpose)),
    ]
    if purpose == "test":
        steps += [("Node", install_node), ("Arabic font", install_fonts)]
    steps += [
        (f"browser {kind}".strip(), lambda kind=kind: install_browser(kind, purpose)) for kind in BROWSERS[purpose]
    ]
    try:
        said = {name: step(name, work) for name, work in steps}
    except Failed as failed:
        if failed.hint != MAKE_ROOM:  # the installer ended in order and cleaned up, which a full disk may prevent
            UNFINISHED.unlink(missing_ok=True)
        raise
    found = [path for path in said.values() if path.startswith("/")]
    write_stamp(purpose, [str(PYTHON), str(BIN / "persistent-session"), str(wa_js()), *found])
    UNFINISHED.unlink()
    print(f"Set up in {time.monotonic() - began:.0f} s", flush=True)


def step(name: str, work) -> str:  # type: ignore[no-untyped-def]
    """Print the name, do the work, print how long it took and what the work returns.

    A path that the work returns is one that `is_prepared` looks for.
    """
    print(f"  · {name:<22}", end="", flush=True)
    began = time.monotonic()
    try:
        said = work() or ""
    except OSError as error:
        raise Failed(f"{name}: {error}", explain(str(error), "see the line above")) from error
    print(f" {time.monotonic() - began:6.1f} s  {said}".rstrip(), flush=True)
    return said


def write_stamp(purpose: str, paths: list[str]) -> None:
    stamp = {**read_stamp(), purpose: {"inputs": inputs(), "paths": paths}}
    draft = STAMP.with_name(STAMP.name + ".new")
    draft.write_text(json.dumps(stamp))
    draft.replace(STAMP)


def check_disk(purpose: str) -> None:
    free = shutil.disk_usage(ROOT).free
    if free < LEAST_FREE_BYTES[purpose] and not NODE_MODULES.exists():
        raise Failed(
            f"the disk has {free / 1e9:.1f} GB free, the set-up needs {LEAST_FREE_BYTES[purpose] / 1e9:.1f} GB",
            f"make room at {ROOT}",
        )


def make_environment(purpose: str) -> str:
    if not UNFINISHED.exists() and works([str(PYTHON), "-m", "pip", "--version"]):
        UNFINISHED.touch()
        return ""
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode and "ensurepip" in said and may_use_apt():
        run_apt("python3-venv")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
    if done.returncode:
        missing = "ensurepip" in said or "No module named venv" in said
        hint = root_hint(purpose)
        raise Failed(
            f"no Python environment can be made: {last_line(said)}",
            hint if missing else explain(said, "see the line above"),
        )
    UNFINISHED.touch()
    return f"Python {sys.version.split()[0]}"


def install_uv() -> str:
    """By pip, which asks no registry where the pinned version is installed already."""
    requirements = str(ROOT / "requirements" / "uv.txt")
    run([*pip(), "install", "--require-hashes", "--requirement", requirements], "uv cannot be installed")
    return ""


def pip() -> list[str]:
    return [str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]


def uv() -> list[str]:
    return [str(PYTHON), "-m", "uv", "--quiet", "pip"]


def install_packages(purpose: str) -> str:
    files = [str(ROOT / "requirements" / name) for name in REQUIREMENTS[purpose]]
    install_pinned(files)
    return f"{sum(count_pins(Path(file)) for file in files)} packages"


def count_pins(path: Path) -> int:
    return sum("==" in line for line in path.read_text().splitlines())


def install_pinned(files: list[str]) -> None:
    """By uv, which is quick; by pip where only pip is told of a mirror."""
    arguments = ["install", "--require-hashes", *(part for file in files for part in ("--requirement", file))]
    by_pip = [*pip(), *arguments]
    if only_pip_is_told_of_a_mirror():
        run(by_pip, "Python packages cannot be installed")
        return
    if not works([*uv(), *arguments, "--python", str(PYTHON)], log=True):
        run(by_pip, "Python packages cannot be installed")


def only_pip_is_told_of_a_mirror() -> bool:
    if any(name in os.environ for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_OFFLINE", "UV_CONFIG_FILE")):
        return False
    said = subprocess.run([*pip(), "config", "list"], capture_output=True, text=True, check=False).stdout
    return bool(re.search(r"\.(index-url|no-index)=", said))


def install_members() -> str:
    """From the checkout, so that a change is live. Their dependencies are pinned, and no name is looked up."""
    editable = [part for member in MEMBERS for part in ("--editable", str(ROOT / member))]
    command = [
        *uv(),
        "install",
        "--python",
        str(PYTHON),
        "--no-deps",
        "--no-sources",
        "--no-build-isolation",
        *editable,
    ]
    run(command, "our own packages cannot be installed")
    return f"{len(MEMBERS)} packages"


def install_node_packages(purpose: str) -> str:
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    wanted = {name: about for name, about in lock.items() if name and (purpose == "test" or not about.get("dev"))}
    if node_packages_present(wanted):
        return f"{len(wanted)} packages"
    npm = find_npm()
    # Without a network npm tries for minutes unless told otherwise.
    retries = ["--prefer-offline", "--fetch-retry-mintimeout=2000", "--fetch-retry-maxtimeout=8000"]
    command = [npm, "ci", "--loglevel=error", "--ignore-scripts", "--no-fund", "--no-audit", *retries]
    run([*command, *(() if purpose == "test" else ("--omit=dev",))], "Node packages cannot be installed", path=str(BIN))
    return f"{len(wanted)} packages"


def node_packages_present(wanted: dict[str, dict[str, object]]) -> bool:
    """Whether each wanted package is installed with the integrity of the lock file."""
    try:
        present = json.loads((NODE_MODULES / ".package-lock.json").read_text())["packages"]
    except (OSError, ValueError, KeyError):
        return False
    return wa_js().exists() and all(
        (present.get(name) or {}).get("integrity") == about.get("integrity") and (ROOT / name / "package.json").exists()
        for name, about in wanted.items()
        if not about.get("optional") and not about.get("link")
    )


def find_npm() -> str:
    """npm of the machine, else that of the PyPI package."""
    if not find_node("npm"):
        install_pinned([str(ROOT / "requirements" / "node.txt")])
    return find_node("npm") or str(BIN / "npm")


def install_node() -> str:
    """The tests run the old client in Node. Returns the path."""
    if not find_node("node"):
        install_pinned([str(ROOT / "requirements" / "node.txt")])
    found = find_node("node")
    if not found:
        raise Failed("no Node.js that starts can be installed", f"all that was printed is in {LOG}")
    return found


def find_node(name: str) -> str:
    """`node` or `npm` of the machine, else of our environment, if the program starts."""
    candidates = (shutil.which(name), str(BIN / name))
    return next((path for path in candidates if path and works([path, "--version"], path=str(BIN))), "")


def check_driver(purpose: str) -> str:
    """Playwright's driver brings its own Node.js, which needs a library that a bare Debian lacks."""
    command = [str(PYTHON), "-m", "playwright", "--version"]
    if not works(command) and may_use_apt():
        run_apt("libatomic1")
    done = execute(command, log=True)
    if done.returncode:
        raise Failed(f"the driver of the browser does not start: {last_line(done.stdout)}", root_hint(purpose))
    return ""


def root_hint(purpose: str) -> str:
    packages = " ".join(ROOT_PACKAGES[purpose])
    return f"as root, on Debian: apt-get install {packages}; elsewhere install the same by the means of your system"


def install_browser(kind: str, purpose: str) -> str:
    """A browser of the kind that is there, else Debian's, else Playwright's. Returns the path."""
    found = find_browser(kind)
    if not found and may_use_apt():
        found = browser_from_apt(kind)
    if not found:
        found = browser_from_playwright(kind, purpose)
    return found


def find_browser(kind: str) -> str:
    """The browser that our own package chooses for the kind, if the browser starts; else ""."""
    code = "import os; from shared.browsers import browser_of; print(browser_of(os.environ))"
    env = {**os.environ, "BROWSER": kind or os.environ.get("BROWSER", "")}
    if kind:
        env.pop("BROWSER_EXECUTABLE", None)
    said = subprocess.run([str(PYTHON), "-c", code], env=env, capture_output=True, text=True, check=False)
    path = said.stdout.strip()
    right_kind = kind != "headless-shell" or "headless" in Path(path).name
    return path if path and right_kind and works([path, "--version"]) else ""


def browser_from_apt(kind: str) -> str:
    run_apt_update()
    for package in APT_BROWSERS[kind]:
        # Ubuntu's package of that name installs a snap, which cannot use our profile folders.
        known = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=False).stdout
        candidate = re.search(r"Candidate: (\S+)", known)
        if not candidate or candidate.group(1) == "(none)" or "snap" in candidate.group(1):
            continue
        if works(apt_install(package), log=True) and (found := find_browser(kind)):
            return found
    return ""


def browser_from_playwright(kind: str, purpose: str) -> str:
    may_install_libraries = shutil.which("apt-get") and (os.geteuid() == 0 or works(["sudo", "-n", "true"]))
    options = [
        *(["--with-deps"] if may_install_libraries else []),
        "--no-shell" if kind == "chromium" else "--only-shell",
    ]
    done = execute([str(PYTHON), "-m", "playwright", "install", *options, "chromium"], log=True)
    found = find_browser(kind)
    if not found:
        said = f": {last_line(done.stdout)}" if done.returncode else ""
        raise Failed(f"no {kind or 'browser'} that starts was found or could be installed{said}", root_hint(purpose))
    return found


def install_fonts() -> str:
    """For screenshots of the Arabic page; no test fails without. Returns the lister's path, or what is missing."""
    if not has_arabic_font() and may_use_apt():
        run_apt_update()
        works(apt_install("fontconfig", "fonts-noto-core"), log=True)
    if has_arabic_font():
        return shutil.which("fc-list") or ""
    return "none; screenshots show boxes (as root: apt-get install fontconfig fonts-noto-core)"


def has_arabic_font() -> bool:
    lister = shutil.which("fc-list")
    return bool(lister and subprocess.run([lister, ":lang=ar"], capture_output=True, check=False).stdout)


# apt


def may_use_apt() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(*packages: str) -> list[str]:
    return ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", "install",
            "--yes", "--no-install-recommends", *packages]  # fmt: skip


def run_apt_update() -> None:
    works(["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", "update"], log=True)


def run_apt(*packages: str) -> None:
    run_apt_update()
    run(apt_install(*packages), f"{' '.join(packages)} cannot be installed")


# running commands


def works(command: list[str], *, log: bool = False, path: str = "") -> bool:
    try:
        return execute(command, log=log, path=path).returncode == 0
    except OSError:
        return False


def run(command: list[str], what: str, *, path: str = "") -> None:
    """Raises Failed with the line of the output that says why, and what to do about the cause."""
    done = execute(command, log=True, path=path)
    if done.returncode:
        raise Failed(f"{what}: {last_line(done.stdout)}", explain(done.stdout, f"all that was printed is in {LOG}"))


def execute(command: list[str], *, log: bool, path: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ.get('PATH', os.defpath)}"} if path else None
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", check=False,
    )  # fmt: skip
    if log and VENV.is_dir():
        with LOG.open("a") as file:
            file.write(f"$ {' '.join(command)}\n{done.stdout}\n(exit code {done.returncode})\n\n")
    return done


def last_line(said: str) -> str:
    """The line that says why: the last with a word of failure, else the last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    failures = [line for line in lines if re.search(r"error|cannot|failed|denied|no space", line, re.IGNORECASE)]
    return ((failures or lines or ["it said nothing"])[-1])[:200]


MAKE_ROOM = f"make room on the disk of {ROOT} and run the same command again"
CAUSES = (
    (r"No space left|ENOSPC|disk quota", MAKE_ROOM),
    (r"hash(es)? (mismatch|do not match)|EINTEGRITY|DO NOT MATCH THE HASHES",
     "a package differs from the pinned one: do not install it; is a mirror in between?"),
    (r"name resolution|resolve host|dns|ENOTFOUND|EAI_AGAIN|Connection refused|ECONNREFUSED|unreachable|timed out|"
     r"ETIMEDOUT|error sending request|Could not connect|Max retries|NewConnectionError|No matching distribution|"
     r"Could not find a version|ERR_SOCKET|Failed to fetch|Failed to download",
     "no package registry could be reached: check the network, and the proxy or mirror settings of pip, uv and npm"),
    (r"Permission denied|EACCES|Read-only file system", f"you may not write there: check who owns {ROOT}"),
    (r"Could not get lock|is another process using it", "another apt is at work: wait for it and run this again"),
)  # fmt: skip


def explain(said: str, otherwise: str) -> str:
    return next((hint for pattern, hint in CAUSES if re.search(pattern, said, re.IGNORECASE)), otherwise)


if __name__ == "__main__":
    raise SystemExit(main())
