"""Requests a second on a real bus, signed and encrypted as in production, against the same bus without any of it.

Both ends run in one process and take turns in one run, so every signature counts twice.

`python tests/bench/bus_signing.py [--seconds 3] [--rounds 3]`
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent))
from goals import SIGNED, Outcome, conclude, ratio

from shared.bus import Bus, Call
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.commands import SEND_TEST, SendResult, SendTest
from shared.contracts.message import Identity
from shared.testing import EveryUser, NatsServer, options_for_tests

AT_ONCE = 16
MESSAGE = SendTest(phone_number="201234567890", text="hello " * 20)


class Trusting(EveryUser):
    """Signs nothing, encrypts nothing and believes everybody: what a bus without this wall does."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count()

    def sign(self, subject: str, headers: Mapping[str, str], data: bytes) -> str:
        return f"gateway {next(self._numbers)}"  # each one different, or it would be a replay

    def verified_sender(self, subject: str, headers: Mapping[str, str], data: bytes) -> str:
        return self.signer_for(subject)

    def encrypt(self, data: bytes, key: str) -> bytes:
        return data

    def decrypt(self, data: bytes) -> bytes:
        return data


async def requests_a_second(url: str, identity: Identity, seconds: float) -> float:
    options = replace(options_for_tests(url), identity=identity)
    asker, server = await Bus.connect(options, clock=SystemClock()), await Bus.connect(options, clock=SystemClock())

    async def answer(_: SendTest, call: Call) -> SendResult:
        return SendResult(outcome="sent", command_id=call.command_id)

    subject = subjects.command(SEND_TEST, "bench")
    await server.serve(subject, SendTest, answer)
    end = perf_counter() + seconds

    async def ask() -> int:
        count = 0
        while perf_counter() < end:
            await asker.request(subject, MESSAGE, SendResult, timeout=30, owner_key=server.command_key)
            count += 1
        return count

    done = await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    await asker.drain()
    await server.drain()
    return sum(done) / seconds


async def measure(url: str, seconds: float, rounds: int) -> tuple[float, float]:
    """(signed, unsigned) requests a second: the median of rounds that take turns."""
    signed, unsigned = [], []
    for _ in range(rounds):
        signed.append(await requests_a_second(url, EveryUser(), seconds))
        unsigned.append(await requests_a_second(url, Trusting(), seconds))
    return median(signed), median(unsigned)


def judge(signed: float, unsigned: float) -> list[Outcome]:
    return [SIGNED.judge(ratio(signed, unsigned), beside=f"{signed:.0f} and {unsigned:.0f} requests a second")]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer().start(Path(folder))
        try:
            measured = asyncio.run(measure(server.url, options.seconds, options.rounds))
        finally:
            server.stop()
    return conclude(judge(*measured))


if __name__ == "__main__":
    sys.exit(main())
