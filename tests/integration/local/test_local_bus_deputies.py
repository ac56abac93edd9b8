"""Nobody can make NATS, or another service, do on the bus what they may not do themselves.

A real nats-server runs with the configuration of the local mode, and the receivers are those of the product. Each user
of NATS in turn attacks with a client of its own, in every direction that the registry of messages knows: it publishes
where it may not, it lets consumers deliver stored bytes there, and it lets JetStream's API answer there. The bytes are
the best that it can make: a valid message, signed by its own key for the very subject, encrypted for the true owner.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from persistent_session.services.bus_users import BACKUP, BUS_USERS, GATEWAY, HEALTH, SETUP, WORKER, publish_subjects
from persistent_session.stack import nats
from shared.bus import Bus, BusOptions, Call, UnverifiedValue, create_streams
from shared.bus.buckets import stream_of
from shared.bus.credentials import identity, new_seed, public_key
from shared.bus.requests import request_headers
from shared.clock import SystemClock
from shared.contracts import registry, subjects
from shared.contracts.commands import SEND_TEST, SendResult, SendTest
from shared.contracts.errors import Refused
from shared.contracts.message import SIGNATURE, Identity, Message, encode, inbox_of, tag_of
from shared.contracts.sessions import SessionRecord
from shared.contracts.subjects import matches
from shared.testing import eventually, eventually_sync, free_port
from shared.testing.process import Process, program

CLOCK = SystemClock()
SESSION = "shop"
SERVICES = (GATEWAY, WORKER, BACKUP, HEALTH)
GOLDEN = Path(__file__).parents[2] / "contract/shared/golden"
SECRET_TEXT = "meet me at nine"


@dataclass(frozen=True)
class Place:
    """A subject, and the kind of message that belongs there."""

    subject: str
    kind: type[Message]


PLACES = (
    *(Place(subjects.command(each, SESSION), each.request) for each in registry.COMMANDS),
    *(
        Place(f"{each.subject.partition('{')[0]}{SESSION}", each.message)
        for each in (*registry.EVENTS, *registry.TELEMETRY)
    ),
    *(Place(subjects.key_of_bucket(each.bucket, SESSION), each.message) for each in registry.BUCKETS),
)
STREAMS = {each.bucket: stream_of(each.bucket) for each in registry.BUCKETS} | {subjects.EVENTS_STREAM: "WA_EVENTS"}


def foreign_places(user: str) -> list[Place]:
    return [place for place in PLACES if user not in registry.senders(place.subject)]


def test_the_attacks_know_every_kind_of_place() -> None:
    for user in SERVICES:
        allowed = [place for place in PLACES if any(matches(each, place.subject) for each in publish_subjects(user))]
        assert {place.subject for place in allowed} == {
            place.subject for place in PLACES if user in registry.senders(place.subject)
        }, "the permissions of NATS and the signatures that receivers believe differ"


@dataclass
class Server:
    url: str
    seeds: dict[str, str]

    def identity(self, user: str) -> Identity:
        keys = {name: public_key(self.seeds[name]) for name in SERVICES}
        return identity(user, self.seeds[user], keys)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path
    port = free_port()
    seeds = {user: new_seed() for user in BUS_USERS}
    config = nats.config(
        store=folder / "store",
        ports={"nats": port},
        public_keys={user: public_key(seed) for user, seed in seeds.items()},
    )
    (folder / "nats.conf").write_text(config)
    process = Process([program("nats-server"), "-c", str(folder / "nats.conf")], log_file=folder / "nats.log")
    try:
        eventually_sync(lambda: "Server is ready" in process.log_tail(), timeout=20)
        yield Server(f"nats://127.0.0.1:{port}", seeds)
    finally:
        process.stop()


@dataclass
class Receivers:
    """Every receiver that the product has, each as the user that receives there. `acted`: what got through."""

    buses: dict[str, Bus]
    acted: list[tuple[str, str]] = field(default_factory=list)

    async def listen(self) -> None:
        for command in registry.COMMANDS:
            await self.buses[command.server].serve(
                subjects.command(command, SESSION), command.request, self._handler(command)
            )
        for fact in registry.TELEMETRY:
            for reader in fact.readers:
                pattern = f"{fact.subject.partition('{')[0]}*"
                await self.buses[reader].subscribe(pattern, fact.message, self._note(f"{reader} heard"))
        for bucket in registry.BUCKETS:
            for reader in bucket.readers:
                watched = self.buses[reader].bucket(bucket.bucket, bucket.message)
                note = self._note(f"{reader} saw in {bucket.bucket}")
                await watched.watch(lambda key, _value, note=note: note(None, key))  # type: ignore[misc]
        for reader in registry.EVENTS[0].readers:
            await self.buses[reader].watch_events(self._note(f"{reader} read"), since_seconds=3600)

    def _handler(self, command: subjects.Command) -> Any:
        async def serve(message: Message, call: Call) -> Message:
            self.acted.append((f"{command.server} served", call.subject))
            if isinstance(message, SendTest):
                return SendResult(outcome="sent")
            raise Refused("not in this test")

        return serve

    def _note(self, what: str) -> Any:
        return lambda _message, subject: self.acted.append((what, subject))

    def refusals(self) -> int:
        names = ("unverified", "misaddressed", "replayed")
        return sum(bus.counts[name] for bus in self.buses.values() for name in names)


@pytest.fixture
async def receivers(server: Server) -> AsyncIterator[Receivers]:
    setup = await Bus.connect(BusOptions(url=server.url, nkey_seed=server.seeds[SETUP], name=SETUP), clock=CLOCK)
    await create_streams(setup)
    await setup.drain()
    buses = {}
    for user in SERVICES:
        options = BusOptions(url=server.url, nkey_seed=server.seeds[user], name=user, identity=server.identity(user))
        buses[user] = await Bus.connect(options, clock=CLOCK, wait_seconds=10.0)
    made = Receivers(buses)
    try:
        await made.listen()
        yield made
    finally:
        for bus in buses.values():
            await bus.drain()


class Attacker:
    """A client of NATS with the credentials of one service, which obeys nothing but the server."""

    def __init__(self, server: Server, user: str, owner_key: str) -> None:
        self.user = user
        self.errors: list[str] = []
        self._server = server
        self._owner_key = owner_key
        self._identity = server.identity(user)
        self._client = Client()
        self._number = 0

    async def __aenter__(self) -> Attacker:
        await self._client.connect(
            self._server.url,
            nkeys_seed_str=self._server.seeds[self.user],
            inbox_prefix=inbox_of(self.user),
            error_cb=self._note_error,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def _note_error(self, error: Exception) -> None:
        self.errors.append(str(error).lower())

    @property
    def streams(self) -> list[str]:
        """Whatever it may make consumers on."""
        return [STREAMS[name] for name in BUS_USERS[self.user].reads]

    def best(self, place: Place) -> tuple[bytes, dict[str, str]]:
        """A message for the place, as near to a true one as this user can make it."""
        data = (GOLDEN / f"{tag_of(place.kind)}.json").read_bytes()
        if place.kind.private:
            data = self._identity.encrypt(data, self._owner_key)
        headers = request_headers(CLOCK, 30.0, None)
        return data, headers | {SIGNATURE: self._identity.sign(place.subject, headers, data)}

    async def publish(self, subject: str, data: bytes, headers: dict[str, str], reply: str = "") -> None:
        await self._client.publish(subject, data, reply=reply, headers=headers)

    async def store(self, data: bytes, headers: dict[str, str]) -> list[tuple[str, str]]:
        """Into every stream that it may write: (stream, subject)."""
        self._number += 1
        stored = [
            (stream_of(bucket), subjects.key_of_bucket(bucket, f"x-{self._number}"))
            for bucket in BUS_USERS[self.user].writes
        ]
        if any(fact.sender == self.user for fact in registry.EVENTS):
            fact = next(each for each in registry.EVENTS if each.sender == self.user)
            stored.append((subjects.EVENTS_STREAM, f"{fact.subject.partition('{')[0]}x-{self._number}"))
        for _, subject in stored:
            await self._client.request(subject, data, headers=headers, timeout=10)
        return stored

    async def deliver(self, stream: str, to: str, filter_subject: str = "") -> None:
        """Let a consumer of the stream deliver there."""
        config = {"deliver_subject": to, "ack_policy": "none", "deliver_policy": "all", "mem_storage": True}
        if filter_subject:
            config["filter_subject"] = filter_subject
        body = json.dumps({"stream_name": stream, "config": config}).encode()
        await self._client.request(f"$JS.API.CONSUMER.CREATE.{stream}", body, timeout=10)

    async def answer(self, stream: str, to: str) -> None:
        """Let the API of JetStream answer there."""
        await self._client.publish(f"$JS.API.STREAM.INFO.{stream}", b"", reply=to)

    async def flush(self) -> None:
        await self._client.flush(timeout=10)

    async def capture(self, subject: str) -> asyncio.Queue[Any]:
        found: asyncio.Queue[Any] = asyncio.Queue()

        async def take(message: Any) -> None:
            found.put_nowait(message)

        await self._client.subscribe(subject, cb=take)
        await self.flush()
        return found


async def true_message(receivers: Receivers) -> None:
    """The system still works: the gateway asks the worker, and what a bucket holds is read."""
    gateway, worker = receivers.buses[GATEWAY], receivers.buses[WORKER]
    answer = await gateway.request(
        subjects.command(SEND_TEST, SESSION),
        SendTest(phone_number="201234567890", text=SECRET_TEXT),
        SendResult,
        timeout=10,
        owner_key=worker.command_key,
    )
    assert answer.outcome == "sent"


async def settled(receivers: Receivers, attacker: Attacker) -> None:
    """Everything that was sent so far has been received: a true message of each kind comes after it."""
    await attacker.flush()
    await asyncio.sleep(0.3)
    await true_message(receivers)
    assert receivers.acted == [(f"{WORKER} served", subjects.command(SEND_TEST, SESSION))]
    receivers.acted.clear()


@pytest.mark.parametrize("user", SERVICES)
async def test_no_user_may_publish_where_another_sends_or_receives(
    server: Server, receivers: Receivers, user: str
) -> None:
    others = [f"{inbox_of(other)}.abc.1" for other in BUS_USERS if other != user]
    async with Attacker(server, user, receivers.buses[WORKER].command_key) as attacker:
        for place in foreign_places(user):
            await attacker.publish(place.subject, *attacker.best(place))
        for inbox in others:
            await attacker.publish(inbox, b"{}", {})
        await attacker.flush()
        expected = len(foreign_places(user)) + len(others)
        await eventually(lambda: sum("permissions violation" in each for each in attacker.errors) == expected)
        await settled(receivers, attacker)


@pytest.mark.parametrize("user", SERVICES)
async def test_no_user_can_let_a_consumer_deliver_where_it_may_not_publish(
    server: Server, receivers: Receivers, user: str
) -> None:
    reachable = 0
    async with Attacker(server, user, receivers.buses[WORKER].command_key) as attacker:
        for place in foreign_places(user):
            for stream, subject in await attacker.store(*attacker.best(place)):
                if stream in attacker.streams:
                    await attacker.deliver(stream, place.subject, subject)
                    reachable += place.subject.startswith("wa.cmd.") or place.subject.startswith("wa.tel.")
            for stream in attacker.streams:
                await attacker.deliver(stream, place.subject)
        await settled(receivers, attacker)
    assert receivers.refusals() >= reachable
    assert bool(reachable) == (user in (GATEWAY, WORKER)), "who both writes and reads a stream reaches receivers"


@pytest.mark.parametrize("user", SERVICES)
async def test_no_user_can_let_the_api_of_jetstream_answer_where_it_may_not_publish(
    server: Server, receivers: Receivers, user: str
) -> None:
    async with Attacker(server, user, receivers.buses[WORKER].command_key) as attacker:
        for place in foreign_places(user):
            for stream in attacker.streams:
                await attacker.answer(stream, place.subject)
        await settled(receivers, attacker)
        assert (receivers.refusals() > 0) == bool(attacker.streams)
        if attacker.streams and user != WORKER:  # NATS lets its own answers into any bucket: they are never believed
            for bucket in registry.BUCKETS:
                if bucket.writer != user:
                    reader = receivers.buses[bucket.readers[0]].bucket(bucket.bucket, bucket.message)
                    with pytest.raises(UnverifiedValue):
                        await reader.get(SESSION)


async def test_a_desired_state_that_nats_wrote_over_is_unknown_and_its_writer_writes_it_again(
    server: Server, receivers: Receivers
) -> None:
    gateway, worker = receivers.buses[GATEWAY], receivers.buses[WORKER]
    record = SessionRecord(session="mine", desired="running", requested_at=CLOCK.now(), request=7)
    own = gateway.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
    await own.put("mine", record)
    await eventually(lambda: (f"{WORKER} saw in wa-sessions", "mine") in receivers.acted)
    receivers.acted.clear()
    async with Attacker(server, HEALTH, worker.command_key) as attacker:
        await attacker.answer(
            STREAMS[subjects.SESSIONS_BUCKET], subjects.key_of_bucket(subjects.SESSIONS_BUCKET, "mine")
        )
        await settled(receivers, attacker)
    with pytest.raises(UnverifiedValue) as caught:
        await own.get("mine")
    await own.update("mine", record, caught.value.revision)
    entry = await worker.bucket(subjects.SESSIONS_BUCKET, SessionRecord).get("mine")
    assert entry is not None
    assert entry.value == record


async def test_another_worker_sees_a_command_of_the_owner_but_neither_reads_nor_repeats_it(
    server: Server, receivers: Receivers
) -> None:
    """All workers are one user of NATS, so another worker may listen."""
    subject = subjects.command(SEND_TEST, SESSION)
    async with Attacker(server, WORKER, receivers.buses[WORKER].command_key) as attacker:
        captured = await attacker.capture(subject)
        await true_message(receivers)
        message = await asyncio.wait_for(captured.get(), 10)
        assert SECRET_TEXT.encode() not in message.data
        assert b"201234567890" not in message.data
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(message.data)
        receivers.acted.clear()
        for stream, stored in await attacker.store(message.data, dict(message.headers)):
            if stream in attacker.streams:
                await attacker.deliver(stream, subject, stored)
        await settled(receivers, attacker)
    assert receivers.refusals() > 0


async def test_a_true_record_found_under_another_key_or_in_another_bucket_is_not_believed(
    server: Server, receivers: Receivers
) -> None:
    """The writer's own signature, but for another place: the writer of two buckets cannot swap them by mistake."""
    own = server.identity(GATEWAY)
    data = encode(SessionRecord(session="one", desired="cleared", requested_at=CLOCK.now(), request=9))
    signature = own.sign(subjects.key_of_bucket(subjects.SESSIONS_BUCKET, "one"), {}, data)
    async with Attacker(server, GATEWAY, "") as attacker:
        two = subjects.key_of_bucket(subjects.SESSIONS_BUCKET, "two")
        await attacker.publish(two, data, {SIGNATURE: signature})
        await attacker.publish(two, b"", {SIGNATURE: signature, "KV-Operation": "DEL"})
        await settled(receivers, attacker)
    with pytest.raises(UnverifiedValue):
        await receivers.buses[WORKER].bucket(subjects.SESSIONS_BUCKET, SessionRecord).get("two")
