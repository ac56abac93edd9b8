"""Run a command that dies with its supervisor: `python tether.py SIGNAL PARENT COMMAND …`.

Knows one Linux call. It replaces itself with the command, so that process id and exit code are the command's own.
Trap: the tether belongs to the thread that started the process, so the supervisor starts processes in its main thread.
Standard library only, started without site packages, so that it costs a few milliseconds.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    signal_number, parent = int(sys.argv[1]), int(sys.argv[2])
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before the tether held
        raise SystemExit(143)
    try:
        os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"cannot start {sys.argv[3]}: {error.strerror}\n")
        raise SystemExit(127) from None


if __name__ == "__main__":
    main()
