"""Requests a second of the status, compared with an empty Flask route on the same gunicorn. Both take turns in one run.

`python tests/bench/status_rps.py [--seconds 3] [--rounds 3]`
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx
from flask import Flask, Response

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from gateway_stage import API, API_KEY, KEY, GatewayProcess, Owner, report, status
from goals import STATUS, Outcome, conclude, ratio

from gateway.adapters.server import Server, ServerOptions
from shared.testing import NatsServer, eventually_sync, free_port

CONNECTIONS = 16


class Empty:
    """What gunicorn runs for comparison: Flask and nothing else."""

    def __init__(self) -> None:
        self.app = Flask("empty")
        self.app.add_url_rule("/", "empty", lambda: "")

    def begin(self) -> None: ...
    def stopping(self) -> None: ...
    def end(self) -> None: ...
    def refuse(self, _refusal: object, status: int) -> Response:
        return Response(status=status)


async def requests_a_second(port: int, path: str, seconds: float) -> float:
    """Requests on keep-alive connections, each of which sends one request after the other."""
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {API_KEY}\r\n\r\n".encode()
    end = perf_counter() + seconds
    done = await asyncio.gather(*(_ask(port, request, end) for _ in range(CONNECTIONS)))
    return sum(done) / seconds


async def _ask(port: int, request: bytes, end: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while perf_counter() < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head[:16]:
            raise RuntimeError(head.decode())
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        count += 1
    writer.close()
    return count


def measure(gateway_port: int, empty_port: int, seconds: float, rounds: int) -> tuple[list[float], list[float]]:
    """Requests a second of each round: of the status, and of the empty route."""
    statuses, empties = [], []
    for _ in range(rounds):
        empties.append(asyncio.run(requests_a_second(empty_port, "/", seconds)))
        statuses.append(asyncio.run(requests_a_second(gateway_port, API, seconds)))
    return statuses, empties


def judge(statuses: list[float], empties: list[float]) -> list[Outcome]:
    status, empty = median(statuses), median(empties)
    return [STATUS.judge(ratio(status, empty), beside=f"{status:.0f} and {empty:.0f} requests a second")]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, headers=KEY).status_code == 200
    except httpx.TransportError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve-empty", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_empty:
        Server(ServerOptions("127.0.0.1", options.serve_empty), Empty).run()
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        nats = NatsServer().start(folder / "nats")
        empty = subprocess.Popen([sys.executable, __file__, "--serve-empty", str(port)])
        try:
            with Owner(nats.url) as owner, GatewayProcess(nats.url, folder / "gateway.log") as gateway:
                owner.publish_status(status())
                owner.publish_report(report())
                eventually_sync(lambda: answers(f"http://127.0.0.1:{port}/") and answers(gateway.url + API))
                measured = measure(gateway.port, port, options.seconds, options.rounds)
        finally:
            empty.terminate()
            empty.wait(15)
            nats.stop()
    return conclude(judge(*measured))


if __name__ == "__main__":
    sys.exit(main())
