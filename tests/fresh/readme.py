"""Run in the bare machine: the README's commands, in the README's order, as the README gives them.

1. `make demo` until the page is there; `demo link`, `wait --connected`, `send-test`; Ctrl-C.
2. `make test`.

As a user without root, root runs the README's apt line for such a user before each of the two, and nothing more.

Each failure is one line. The exit code is the number of commands that failed.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CLONE = "persistent-session"
USER = "someone"
START_SECONDS = 1200.0
"""Until the demo is ready: the set-up downloads packages and a browser."""


def main() -> int:
    plan = json.loads(Path("/plan.json").read_text())
    person = Person(plan["user"], plan["environment"])
    say(f"Python {sys.version.split()[0]}, {person.name}, in {person.clone}")
    apt_lines = apt_lines_for_no_root(person.clone)
    commands = {"make demo": lambda: demo(person, plan["port"]), "make test": lambda: test(person, tests=plan["tests"])}
    failed = []
    for (name, command), apt_line in zip(commands.items(), apt_lines, strict=True):
        if plan["user"] != "root":
            say(f"as root: {apt_line}")
            install_by_root(apt_line, plan["environment"])
        say(f"{name} …")
        began = time.monotonic()
        try:
            command()
        except Wrong as wrong:
            failed.append(name)
            say(f"{name} FAILED after {time.monotonic() - began:.0f} s: {wrong}")
        else:
            say(f"{name} did what the README says, in {time.monotonic() - began:.0f} s")
    return len(failed)


class Wrong(Exception):
    """A command that did not do what the README says."""


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}   {text}", flush=True)


class Person:
    """Who runs the commands, in the clone in the home folder, with the environment of a login and the way out."""

    def __init__(self, user: str, environment: dict[str, str]) -> None:
        if user != "root":
            subprocess.run(["useradd", "--shell", "/bin/bash", USER], check=True)
        entry = pwd.getpwnam("root" if user == "root" else USER)
        self.name = entry.pw_name
        self.clone = Path(entry.pw_dir) / CLONE
        subprocess.run(["chown", "-R", f"{entry.pw_uid}:{entry.pw_gid}", entry.pw_dir], check=True)
        self._ids = None if user == "root" else (entry.pw_uid, entry.pw_gid)
        paths = "/usr/local/bin:/usr/bin:/bin" + (":/usr/sbin:/sbin" if user == "root" else "")
        self._environment = {"HOME": entry.pw_dir, "USER": self.name, "PATH": paths, "LANG": "C.UTF-8", **environment}

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        ids = {"user": self._ids[0], "group": self._ids[1], "extra_groups": []} if self._ids else {}
        return subprocess.Popen(
            command,
            cwd=self.clone,
            env={**self._environment, **environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **ids,  # type: ignore[arg-type]
        )

    def run(self, *command: str, within: float, **environment: str) -> None:
        """Raises Wrong when the command fails or takes longer."""
        process = self.start(*command, **environment)
        try:
            code = process.wait(within)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise Wrong(f"`{' '.join(command)}` did not end within {within:.0f} s") from None
        if code:
            raise Wrong(f"`{' '.join(command)}` ended with {code}")


def apt_lines_for_no_root(clone: Path) -> list[str]:
    """The lines of the README for a user without root: for `make demo`, and for `make test`."""
    found = re.findall(r"^apt-get install .*?(?=\s*#|$)", (clone / "README.md").read_text(), re.MULTILINE)
    if len(found) != 2:
        raise SystemExit(f"README.md gives {len(found)} apt lines for a user without root, not two")
    return found


def install_by_root(line: str, environment: dict[str, str]) -> None:
    env = {**os.environ, **environment, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "-qq", "update"], [*line.split(), "--yes", "-qq"]):
        done = subprocess.run(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}")


def demo(person: Person, port: int) -> None:
    settings = {"GATEWAY_PORT": str(port)}
    running = person.start("make", "demo", **settings)
    program = str(person.clone / ".venv" / "bin" / "persistent-session")
    try:
        until_ready(running, port)
        person.run(program, "demo", "link", within=60, **settings)
        person.run(program, "wait", "--connected", within=90, **settings)
        person.run(program, "send-test", "201234567890", "hello", within=60, **settings)
        os.killpg(running.pid, signal.SIGINT)
        try:
            code = running.wait(90)
        except subprocess.TimeoutExpired:
            raise Wrong("`make demo` did not stop within 90 s of Ctrl-C") from None
        if code not in (0, 2, 130, -signal.SIGINT):  # make reports Ctrl-C as its own end
            raise Wrong(f"`make demo` ended with {code} after Ctrl-C")
        if left := commands_of(person.clone):
            raise Wrong(f"after Ctrl-C there still runs: {left}")
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def commands_of(clone: Path) -> list[str]:
    """The processes that were started from the clone."""
    commands = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # ended since
            continue
        commands += [command] if str(clone) in command else []
    return commands


def until_ready(running: subprocess.Popen[bytes], port: int) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if running.poll() is not None:
            raise Wrong(f"`make demo` ended with {running.returncode} before it was ready")
        try:
            with opener.open(f"http://127.0.0.1:{port}/persistent-session", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise Wrong(f"`make demo` was not ready within {START_SECONDS:.0f} s")


def test(person: Person, *, tests: str) -> None:
    options = {"PYTEST_ADDOPTS": f"-k '{tests}'"} if tests else {}
    person.run("make", "test", within=5400, **options)


if __name__ == "__main__":
    raise SystemExit(main())
