"""Run a command that receives a signal when its supervisor dies: `python parent_death.py SIGNAL PARENT COMMAND …`.

The program sets Linux's parent-death signal (`PR_SET_PDEATHSIG`) and replaces itself with the command, so process id
and exit code are the command's own. The trap: the kernel binds the signal to the *thread* that started the process, so
the supervisor starts processes in its main thread. The program uses the standard library alone and is started without
site packages, so it costs a few milliseconds.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
TERMINATED, NOT_FOUND = 143, 127
"""Exit codes as a shell gives them."""


def main() -> None:
    signal_number, parent = int(sys.argv[1]), int(sys.argv[2])
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # the supervisor died before the signal was set
        raise SystemExit(TERMINATED)
    try:
        os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"cannot start {sys.argv[3]}: {error.strerror}\n")
        raise SystemExit(NOT_FOUND) from None


if __name__ == "__main__":
    main()
