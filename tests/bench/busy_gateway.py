"""The gateway beside slow clients, streams and commands: how long the status and the health answer take, and memory.

`python tests/bench/busy_gateway.py [SECONDS]`: in each situation the status and /health/live are asked for, one after
the other and on a new connection each, for SECONDS (15). The slow clients drip heads, bodies and chunks, take no
answers, or keep silent; what is put out comes again. A real nats-server and a scripted owner stand behind the gateway.
"""

from __future__ import annotations

import asyncio
import math
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from gateway_stage import API, KEY, GatewayProcess, Owner, status
from goals import BUSY_ANSWER, GATEWAY_MEMORY, STREAMS, Outcome, conclude, ratio
from slow_clients import BEHAVIOURS, SlowClients

from shared.clock import SystemClock, sleep_blocking
from shared.testing import NatsServer

CLOCK = SystemClock()
CROWDS = (100, 1000)
STREAM_COUNT = 60
COMMANDS = 200
PATIENCE_SECONDS = 6.0
LEAST_ANSWERS = 30


@dataclass
class Figures:
    """`waits`: situation → seconds that each answer took, infinite for none. `memory` in MB by moment, `cpu` in percent
    of a core at rest; `streams`: how many streams got the same news; `commands`: status → how many."""

    waits: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    cpu: float = math.nan
    streams: int = 0
    commands: dict[int, int] = field(default_factory=dict)


def p99(waits: list[float]) -> float:
    """Seconds; NaN, which misses every goal, where too few were measured."""
    return sorted(waits)[math.ceil(0.99 * len(waits)) - 1] if len(waits) >= LEAST_ANSWERS else math.nan


class Gauge:
    """Measures one running gateway."""

    def __init__(self, gateway: GatewayProcess, seconds: float) -> None:
        assert gateway.process is not None
        self._gateway, self._seconds = gateway, seconds
        self._process = psutil.Process(gateway.process.pid)
        self.figures = Figures()

    def _all(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def weigh(self, moment: str) -> None:
        """Megabytes, shared pages in proportion."""
        weight = sum(each.memory_full_info().pss for each in self._all()) / 2**20
        self.figures.memory[moment] = weight
        print(f"memory {moment}: {weight:.1f} MB", flush=True)

    def rest(self) -> None:
        def used() -> float:
            return sum(sum(each.cpu_times()[:2]) for each in self._all())

        before, began = used(), CLOCK.monotonic()
        sleep_blocking(self._seconds)
        self.figures.cpu = 100 * (used() - before) / (CLOCK.monotonic() - began)
        print(f"at rest: {self.figures.cpu:.2f} % of a core", flush=True)

    def ask(self, situation: str) -> None:
        for path, headers in ((API, KEY), ("/health/live", {})):
            waits = []
            end = CLOCK.monotonic() + self._seconds
            while CLOCK.monotonic() < end or len(waits) < LEAST_ANSWERS:
                waits.append(self._wait(path, headers))
                if waits.count(math.inf) > 3:
                    break
            self.figures.waits[f"{path.rsplit('/', 1)[1]}, {situation}"] = waits
            worst = sorted(waits)[-1]
            print(f"{path} {situation}: {len(waits)} answers, worst {worst * 1000:.0f} ms", flush=True)

    def _wait(self, path: str, headers: dict[str, str]) -> float:
        began = CLOCK.monotonic()
        connection = HTTPConnection("127.0.0.1", self._gateway.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            return math.inf
        finally:
            connection.close()
        return CLOCK.monotonic() - began if answer.status == 200 else math.inf

    @contextmanager
    def streams(self, owner: Owner) -> Iterator[None]:
        """Open all streams, and count at the end which of them get news."""
        with ExitStack() as stack:
            limits = httpx.Limits(max_connections=STREAM_COUNT)
            client = stack.enter_context(httpx.Client(limits=limits, timeout=2 * PATIENCE_SECONDS))
            url = f"{self._gateway.url}{API}/events"
            streams = []
            for _ in range(STREAM_COUNT):
                with suppress(httpx.TransportError):
                    stream = stack.enter_context(client.stream("GET", url, headers=KEY))
                    streams += [stream.iter_text()] if stream.status_code == 200 else []
            yield
            owner.publish_status(status(detail="news for all"))
            self.figures.streams = sum(any("news for all" in text for text in stream) for stream in streams)

    @contextmanager
    def commands(self) -> Iterator[None]:
        """Ask for as many commands at once, again and again."""
        ended = threading.Event()

        async def ask(client: httpx.AsyncClient) -> None:
            answer = await client.post(self._gateway.url + API, json={"action": "backups"})
            counts = self.figures.commands
            counts[answer.status_code] = counts.get(answer.status_code, 0) + 1

        async def crowd() -> None:
            limits = httpx.Limits(max_connections=COMMANDS)
            async with httpx.AsyncClient(limits=limits, timeout=20, headers=KEY) as client:
                while not ended.is_set():
                    await asyncio.gather(*(ask(client) for _ in range(COMMANDS)))

        with ThreadPoolExecutor(1) as pool:
            crowding = pool.submit(asyncio.run, crowd())
            try:
                yield
            finally:
                ended.set()
                crowding.result()


def judge(figures: Figures) -> list[Outcome]:
    alone = p99(figures.waits.get("persistent-session, alone", []))
    outcomes = [
        BUSY_ANSWER.judge(p99(waits), beside=f"{situation}; {alone * 1000:.0f} ms for the status alone")
        for situation, waits in figures.waits.items()
        if not situation.endswith("alone")
    ]
    rest, after = figures.memory.get("at rest", 0.0), figures.memory.get("after all", math.nan)
    beside = ", ".join(f"{weight:.0f} MB {moment}" for moment, weight in figures.memory.items())
    return [
        *outcomes,
        STREAMS.judge(figures.streams, beside="all open beside 100 slow clients"),
        GATEWAY_MEMORY.judge(ratio(after, rest), beside=beside),
    ]


def measure(gateway: GatewayProcess, owner: Owner, seconds: float) -> Figures:
    gauge = Gauge(gateway, seconds)
    gauge.rest()
    gauge.weigh("at rest")
    gauge.ask("alone")
    for crowd in CROWDS:
        with SlowClients(gateway.port, crowd, *BEHAVIOURS.values()) as slow:
            sleep_blocking(2.0)
            gauge.ask(f"{crowd} slow clients")
            gauge.weigh(f"with {crowd} slow clients")
            print(f"{slow.put_out} times one of them was put out", flush=True)
    with SlowClients(gateway.port, CROWDS[0], *BEHAVIOURS.values()), gauge.streams(owner):
        gauge.ask(f"{STREAM_COUNT} streams")
        gauge.weigh(f"with {STREAM_COUNT} streams")
    with gauge.commands():
        gauge.ask(f"{COMMANDS} commands at once")
    print(f"answers to the commands: {gauge.figures.commands}", flush=True)
    gauge.weigh("after all")
    return gauge.figures


def main(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nats = NatsServer().start(folder / "nats")
        settings = {"MAX_STREAMS": str(STREAM_COUNT), "ACTIONS_PER_MINUTE": "1000000"}
        try:
            with Owner(nats.url) as owner, GatewayProcess(nats.url, folder / "gateway.log", **settings) as gateway:
                owner.publish_status(status())
                figures = measure(gateway, owner, seconds)
        finally:
            nats.stop()
    return conclude(judge(figures))


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 15.0))
