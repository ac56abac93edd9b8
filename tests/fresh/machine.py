"""A bare Debian that holds Python, git and make and nothing else: `python3 tests/fresh/machine.py [root] [user]`.

For each user asked for (both unless told) the program lays out a fresh root folder, clones this repository into it (the
last commit), and runs `readme.py` inside: the README's commands as the README gives them. `root` starts from the bare
system. `user` has no way to become root; before it, root runs the README's apt line for such a user, and nothing more.

The root folder is a copy of a base that debootstrap makes once and that lies in the cache folder. The inside runs in
mount and process namespaces of its own: when the namespace ends, by Ctrl-C too, the kernel ends all its processes and
removes all its mounts, so that nothing is left and no process is ended by its name. The network is the machine's; the
way to the package registries (apt's sources, mirrors, proxies, certificates) is that of the machine, and no address is
written here.

Options: `--tests EXPRESSION` chooses some tests of `make test` by pytest's -k, for work on this program; `--keep`
leaves the folder of the machine for a look. The program needs root, debootstrap and the standard library.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "persistent-session-fresh"
PACKAGES = ("python3", "git", "make")
OLDEST_SUITE = "bookworm"
"""The first Debian with Python 3.11; used where the machine itself is no Debian."""
CLONE = "persistent-session"
USER = "someone"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
COPIED_CERTIFICATES = "/etc/machine-certificates.pem"
"""Not at their own place, which a package that is installed inside writes anew."""
PASSED_ON = re.compile(
    r"(https?|no|all)_proxy|pip_(index_url|default_timeout|retries)|uv_(default_index|index_url|http_timeout)|"
    r"npm_config_(registry|proxy|https_proxy)",
    re.IGNORECASE,
)
"""The environment variables that say how registries are reached. Nothing else of the environment goes inside."""


class Failed(Exception):
    """One line that says what failed, and what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Prove the README's commands in a bare Debian.")
    parser.add_argument("users", nargs="*", metavar="root|user", help="who runs the commands (both unless told)")
    parser.add_argument("--tests", default="", help="only the tests that this expression of pytest's -k chooses")
    parser.add_argument("--keep", action="store_true", help="leave the folder of the machine")
    options = parser.parse_args()
    users = options.users or ["root", "user"]
    if set(users) - {"root", "user"}:
        parser.error(f"no such user: {', '.join(users)}")
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT is ignored where a script started this in the background
        signal.signal(number, signal.default_int_handler)
    try:
        check_machine()
        base = make_base()
        codes = {user: run_as(user, base, tests=options.tests, keep=options.keep) for user in users}
    except Failed as failed:
        print(f"\n✗ {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n✗ interrupted; nothing is left running", file=sys.stderr)
        return 130
    for user, code in codes.items():
        say(f"as {user}: {'every command did what the README says' if code == 0 else f'FAILED (exit code {code})'}")
    return max(codes.values())


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def check_machine() -> None:
    if os.geteuid() != 0:
        raise Failed("a bare system is made by root only: sudo make test-fresh")
    if not shutil.which("debootstrap"):
        raise Failed("debootstrap is missing: apt-get install debootstrap")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        raise Failed("this machine allows no namespaces: a container needs --privileged for this")
    if subprocess.run(["git", "-C", ROOT, "status", "--porcelain"], capture_output=True, check=True).stdout:
        say("note: what is not committed is not in the clone")


# the base: made once, then copied


def make_base() -> Path:
    """A minimal Debian with PACKAGES, from the cache if it is there."""
    suite = machine_suite()
    base = CACHE / f"{suite}-{'-'.join(PACKAGES)}"
    if base.is_dir():
        say(f"a bare Debian ({suite}) from {base}")
        return base
    say(f"making a bare Debian ({suite}) with {', '.join(PACKAGES)}")
    CACHE.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=CACHE, prefix="draft-"))
    log = CACHE / "debootstrap.log"
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, draft, *machine_mirror()]
    try:
        with log.open("w") as file:
            done = subprocess.run(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            last = [line for line in log.read_text().splitlines() if line.strip()][-1:]
            raise Failed(f"debootstrap failed: {' '.join(last)} (all of it is in {log})")
        draft.chmod(0o755)
        draft.rename(base)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return base


def machine_suite() -> str:
    release = platform.freedesktop_os_release()
    return release.get("VERSION_CODENAME", OLDEST_SUITE) if release.get("ID") == "debian" else OLDEST_SUITE


def machine_mirror() -> list[str]:
    """The first of apt's own sources, where the machine is a Debian; else debootstrap's default."""
    if platform.freedesktop_os_release().get("ID") != "debian":
        return []
    command = ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [line.split()[0] for line in said.splitlines() if line.split()[1:] == [machine_suite()]][:1]


# one machine


def run_as(user: str, base: Path, *, tests: str, keep: bool) -> int:
    machine = Path(tempfile.mkdtemp(dir=CACHE, prefix=f"{user}-"))
    say(f"a fresh machine for {user}: {machine}")
    try:
        subprocess.run(["cp", "-a", "--reflink=auto", f"{base}/.", machine], check=True)
        machine.chmod(0o755)
        copy_way_to_registries(machine)
        return enter(machine, user, tests=tests)
    finally:
        if keep:
            say(f"kept: {machine}")
        else:
            shutil.rmtree(machine)


def copy_way_to_registries(machine: Path) -> None:
    for name in ("etc/resolv.conf", "etc/hosts"):
        if Path("/", name).exists():
            shutil.copy(Path("/", name), machine / name)
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, machine / COPIED_CERTIFICATES[1:])
    if platform.freedesktop_os_release().get("ID") == "debian":
        copy_apt_configuration(machine / "etc" / "apt")


def copy_apt_configuration(apt: Path) -> None:
    """Debian's own sources, and the settings of the download; no other source and no password."""
    (apt / "sources.list").unlink(missing_ok=True)
    for source in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("debian*")):
        if source.is_file() and source.suffix in (".list", ".sources"):
            shutil.copy(source, apt if source.name == "sources.list" else apt / "sources.list.d")
    said = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    settings = [line for line in said.splitlines() if line.startswith(("Acquire::http", "Acquire::Retries"))]
    settings.append(f'Acquire::https::CAInfo "{COPIED_CERTIFICATES}";' if CERTIFICATES.exists() else "")
    (apt / "apt.conf.d" / "90machine").write_text("\n".join([*settings, ""]))


def way_to_registries() -> dict[str, str]:
    """As environment variables: what this environment says, what pip's configuration files say, the certificates."""
    certificates = ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS") if CERTIFICATES.exists() else ()
    return {
        **pip_settings(),
        **{name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)},
        **dict.fromkeys(certificates, COPIED_CERTIFICATES),
    }


def pip_settings() -> dict[str, str]:
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = dict(re.findall(r"^global\.(index-url|proxy|trusted-host)='(.*)'$", said, re.MULTILINE))
    return {f"PIP_{name.replace('-', '_').upper()}": value for name, value in found.items() if "file://" not in value}


def clone_into(home: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, home / CLONE], check=True)


def enter(machine: Path, user: str, *, tests: str) -> int:
    home = machine / ("root" if user == "root" else f"home/{USER}")
    home.mkdir(parents=True, exist_ok=True)
    clone_into(home)
    plan = {"user": user, "tests": tests, "port": free_port(), "environment": way_to_registries()}
    (machine / "plan.json").write_text(json.dumps(plan))
    shutil.copy(HERE / "readme.py", machine / "readme.py")
    inside = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--propagation=private",
         sys.executable, HERE / "inside.py", machine],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return inside.wait()
    finally:
        if inside.poll() is None:  # interrupted: the namespace ends with this process
            inside.kill()
            inside.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    raise SystemExit(main())
