"""What a receiver takes: every part of a message that it acts on is covered by the signature of a user who may send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from shared.bus.credentials import check_public_key, identity, new_seed, public_key
from shared.bus.gate import Gate
from shared.bus.requests import check_answer, reply_headers, request_headers
from shared.bus.transport import Incoming
from shared.contracts import registry, subjects
from shared.contracts.commands import SEND_TEST
from shared.contracts.errors import TimedOut
from shared.contracts.message import SIGNATURE, SIGNED_HEADERS, Identity, NotForUs, Unverified
from shared.contracts.subjects import ServiceName
from shared.testing import FakeClock

SEEDS = {user.value: new_seed() for user in ServiceName}
KEYS = {user: public_key(seed) for user, seed in SEEDS.items()}
CHANGED_KEY = KEYS["gateway"][:-1] + ("A" if KEYS["gateway"][-1] != "A" else "B")
SERVED = subjects.command(SEND_TEST, "shop")
TEXT = b'{"text": "top secret"}'


def as_user(user: str) -> Identity:
    return identity(user, SEEDS[user], KEYS)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def gate(clock: FakeClock) -> Gate:
    return Gate(as_user("browser-worker"), Counter(), clock)


def signed(user: str, subject: str, headers: dict[str, str], data: bytes) -> dict[str, str]:
    return headers | {SIGNATURE: as_user(user).sign(subject, headers, data)}


def request(clock: FakeClock, user: str = "gateway", subject: str = SERVED, *, timeout: float = 5.0) -> Incoming:
    headers = signed(user, subject, request_headers(clock, timeout, "c-1"), TEXT)
    return Incoming(subject, TEXT, headers, f"_INBOX.{user}.abc.1")


def takes(gate: Gate, clock: FakeClock, incoming: Incoming) -> bool:
    return gate.takes_request(SERVED, incoming, clock.now() + timedelta(seconds=5))


def test_a_request_of_the_one_who_may_ask_is_taken(gate: Gate, clock: FakeClock) -> None:
    assert takes(gate, clock, request(clock))
    assert gate.counts == {}


def _headers(**changed: str) -> Callable[[Incoming], Incoming]:
    return lambda incoming: replace(incoming, headers={**incoming.headers, **changed})


ALTERED: dict[str, tuple[Callable[[Incoming], Incoming], str]] = {
    "another body": (lambda incoming: replace(incoming, data=TEXT + b" "), "unverified"),
    "no signature": (lambda incoming: replace(incoming, headers={}), "unverified"),
    "an empty signature": (_headers(**{SIGNATURE: ""}), "unverified"),
    "a signature that is no base64": (_headers(**{SIGNATURE: "gateway ?"}), "unverified"),
    "a short signature": (_headers(**{SIGNATURE: "gateway AAAA"}), "unverified"),
    "a user who is not known": (_headers(**{SIGNATURE: "setup AAAA"}), "unverified"),
    "another session": (lambda each: replace(each, subject=subjects.command(SEND_TEST, "other")), "misaddressed"),
    "from a bucket": (lambda incoming: replace(incoming, subject="$KV.wa-status.shop"), "misaddressed"),
    "answer to a consumer": (lambda each: replace(each, reply="$JS.ACK.KV_wa-status.c.1.1.1.1.0"), "misaddressed"),
    "answer to a bucket": (lambda incoming: replace(incoming, reply="$KV.wa-sessions.shop"), "misaddressed"),
    "answer to another user": (lambda incoming: replace(incoming, reply="_INBOX.health.abc.1"), "misaddressed"),
    "answer to a longer name": (lambda incoming: replace(incoming, reply="_INBOX.gateway2.abc.1"), "misaddressed"),
    "answer to nobody": (lambda incoming: replace(incoming, reply=""), "misaddressed"),
    **{f"another {name}": (_headers(**{name: "x"}), "unverified") for name in SIGNED_HEADERS},
}  # fmt: skip


@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_request_is_refused_counted_and_logged_once_without_contents(
    gate: Gate, clock: FakeClock, how: str
) -> None:
    alter, fault = ALTERED[how]
    with capture_logs() as logs:
        assert not takes(gate, clock, alter(request(clock)))
        assert not takes(gate, clock, alter(request(clock)))
    assert gate.counts == {fault: 2}
    assert [entry["fault"] for entry in logs] == [fault]
    assert "secret" not in str(logs)


@pytest.mark.parametrize("user", ["browser-worker", "backup", "health"])
def test_a_request_of_a_user_who_may_not_ask_is_refused(gate: Gate, clock: FakeClock, user: str) -> None:
    assert not takes(gate, clock, request(clock, user))
    assert gate.counts == {"unverified": 1}


def test_a_request_without_a_deadline_is_refused(gate: Gate, clock: FakeClock) -> None:
    assert not gate.takes_request(SERVED, request(clock), None)
    assert gate.counts == {"unverified": 1}


def test_the_same_request_is_taken_once_and_the_same_command_again_in_a_new_request(
    gate: Gate, clock: FakeClock
) -> None:
    first = request(clock)
    assert takes(gate, clock, first)
    assert not takes(gate, clock, first)
    assert gate.counts == {"replayed": 1}
    assert takes(gate, clock, request(clock, timeout=6.0))


async def test_requests_whose_deadline_has_passed_are_forgotten(gate: Gate, clock: FakeClock) -> None:
    for number in range(50):
        assert takes(gate, clock, request(clock, timeout=5.0 + number / 10))
    assert len(gate._requests) == 50
    await clock.pass_time(6.0)
    assert takes(gate, clock, request(clock))
    assert len(gate._requests) == 1


PLACES = [
    *(fact.subject.partition("{")[0] + "x" for fact in (*registry.EVENTS, *registry.TELEMETRY)),
    *(subjects.key_of_bucket(each.bucket, "x") for each in registry.BUCKETS),
    *(subjects.command(each, "x") for each in registry.COMMANDS),
    *(subjects.reply_to(subjects.command(each, "x")) for each in registry.COMMANDS),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("user", SEEDS)
def test_only_the_senders_of_a_place_are_believed_there_and_nobody_in_another_place(
    gate: Gate, place: str, user: str
) -> None:
    headers = signed(user, place, {}, TEXT)
    assert gate.believes(place, headers, TEXT, where="here") == (user in registry.senders(place))
    others = [other for other in PLACES if other != place]
    assert not any(gate.believes(other, headers, TEXT, where="here") for other in others)


def test_an_answer_is_the_servers_and_belongs_to_one_request(clock: FakeClock) -> None:
    gate = Gate(as_user("gateway"), Counter(), clock)
    asked = request_headers(clock, 5.0, "c-1")
    place = subjects.reply_to(SERVED)

    def answer(user: str, to: dict[str, str], **headers: str) -> Incoming:
        signature = as_user(user).sign(place, reply_headers(to, headers), TEXT)
        return Incoming("_INBOX.gateway.a.1", TEXT, {**headers, SIGNATURE: signature})

    good = answer("browser-worker", asked)
    assert check_answer(gate, SERVED, asked, good) == good
    another = request_headers(clock, 6.0, "c-1")
    wrong = [
        answer("health", asked),
        answer("browser-worker", another),
        replace(good, data=b"{}"),
        replace(good, headers={**good.headers, "Wa-Error": "1"}),
        replace(good, headers={}),
    ]
    for each in wrong:
        with pytest.raises(TimedOut) as caught:
            check_answer(gate, SERVED, asked, each)
        assert caught.value.code == "unverified_answer"
    with pytest.raises(TimedOut):
        check_answer(gate, subjects.command(SEND_TEST, "other"), asked, good)


def test_a_stranger_believes_nobody_and_nobody_believes_a_stranger(gate: Gate) -> None:
    place = subjects.key_of_bucket(subjects.SESSIONS_BUCKET, "shop")
    stranger = Identity("", bytes(32), {})
    with pytest.raises(Unverified):
        stranger.verified_sender(place, signed("gateway", place, {}, TEXT), TEXT)
    assert not gate.believes(place, {SIGNATURE: stranger.sign(place, {}, TEXT)}, TEXT, where="here")


def test_what_is_encrypted_for_a_process_no_other_process_of_the_same_user_reads() -> None:
    owner, other = as_user("browser-worker"), as_user("browser-worker")
    closed = as_user("gateway").encrypt(TEXT, owner.command_key)
    assert TEXT not in closed
    assert owner.decrypt(closed) == TEXT
    for reader, data in ((other, closed), (owner, TEXT), (owner, b""), (owner, closed[:-1])):
        with pytest.raises(NotForUs):
            reader.decrypt(data)
    for key in ("", "AAAA", "no base64"):
        with pytest.raises(ValueError, match="not a command key"):
            owner.encrypt(TEXT, key)


NO_KEYS = {
    "nothing": "",
    "a letter": "U",
    "a word": "UWRONG",
    "too short": KEYS["gateway"][:-1],
    "a seed": SEEDS["gateway"],
    "another letter": CHANGED_KEY,
}


@pytest.mark.parametrize("what", NO_KEYS)
def test_what_is_no_public_key_is_refused_without_repeating_it(what: str) -> None:
    text = NO_KEYS[what]
    with pytest.raises(ValueError, match="the key of gateway is no public nkey") as caught:
        check_public_key("gateway", text)
    assert not text or text not in str(caught.value).split(" ")
