"""A small program that behaves like a service, or like a bad one: `fake_service.py NAME PORT JOURNAL [WORD …]`.

It writes `NAME start` and `NAME stop` into the journal, and answers 200 on PORT. Words: `deaf` ignores SIGTERM, `mute`
never answers, `exit=N` ends at once, `parent` leaves a child in its process group, `orphan` one in a group of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def main() -> None:
    name, port, journal, words = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), set(sys.argv[4:])

    def write(what: str) -> None:
        with journal.open("a") as file:
            file.write(f"{name} {what} {os.getpid()}\n")

    def stop(number: int, frame: object) -> None:
        write("stop")
        os._exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in words else stop)
    write("start")
    for code in (word.removeprefix("exit=") for word in words if word.startswith("exit=")):
        sys.stderr.write("GATEWAY_PORT must be a number.\n")
        raise SystemExit(int(code))
    if words & {"parent", "orphan"}:
        sleeper = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
        child = subprocess.Popen(sleeper, start_new_session="orphan" in words)
        write(f"child {child.pid}")
    if "mute" in words:
        signal.pause()
        while True:
            signal.pause()
    HTTPServer(("127.0.0.1", port), Answer).serve_forever()


if __name__ == "__main__":
    main()
