"""The first process of a bare machine: mount what a machine has, make `machine` the root folder, run `readme.py`, reap.

Started by `machine.py` in mount and process namespaces of its own. `pivot_root` and not `chroot`: a process inside a
chroot may not make the user namespaces that Chromium's sandbox needs, and then no ordinary user could start a browser.
Like every first process this one inherits orphans, and reaps them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main(machine: Path) -> int:
    mount("--bind", machine, machine)
    mount("-t", "proc", "proc", machine / "proc")
    mount("--rbind", "/sys", machine / "sys")
    mount("-t", "tmpfs", "-o", "mode=755", "dev", machine / "dev")
    make_devices(machine / "dev")
    mount("-t", "tmpfs", "-o", "mode=1777", "shm", machine / "dev" / "shm")
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=666", "devpts", machine / "dev" / "pts")
    old = machine / "old-root"
    old.mkdir(exist_ok=True)
    subprocess.run(["pivot_root", machine, old], check=True)
    os.chdir("/")
    subprocess.run(["/usr/bin/umount", "-l", "/old-root"], check=True)
    Path("/old-root").rmdir()
    child = os.posix_spawn("/usr/bin/python3", ["python3", "/readme.py"], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    return reap_until(child)


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


def make_devices(folder: Path) -> None:
    """The nodes are bound, not made, so that a machine that forbids mknod will do."""
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        (folder / name).touch()
        mount("--bind", f"/dev/{name}", folder / name)
    for name in ("shm", "pts"):
        (folder / name).mkdir()
    for name, target in {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0",
                         "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}.items():  # fmt: skip
        (folder / name).symlink_to(target)


def reap_until(child: int) -> int:
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
