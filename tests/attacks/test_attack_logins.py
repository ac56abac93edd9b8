"""Logins and keys: what is left of a login that ended, what a guesser gains, and what one key does twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from whole_system import OLD_API, System

from standin.client import Phone
from standin.process import StandInProcess

LOGIN, LOGOUT, PAGE = "/persistent-session/login", "/persistent-session/logout", "/persistent-session"
NUMBER = "201234567890"


class Visitor:
    """A browser that has logged in; `stolen` is a thief with a copy of its cookies."""

    def __init__(self, system: System) -> None:
        self.http = httpx.Client(base_url=system.url, headers={"Origin": system.url}, timeout=8)
        answer = self.http.post(LOGIN, json={"key": system.key})
        assert answer.status_code == 200, answer.text
        self.http.headers["X-CSRF-Token"] = answer.json()["csrfToken"]
        self.stolen = httpx.Client(base_url=system.url, cookies=dict(self.http.cookies), timeout=8)
        assert self.stolen.get(OLD_API).status_code == 200

    def close(self) -> None:
        self.http.close()
        self.stolen.close()


@pytest.fixture
def log_in(system: System) -> Iterator[Callable[[], Visitor]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Visitor(system)))


@pytest.fixture
def visitor(log_in: Callable[[], Visitor]) -> Visitor:
    return log_in()


def test_a_stolen_cookie_is_worth_nothing_after_the_logout(visitor: Visitor) -> None:
    assert visitor.http.post(LOGOUT, json={}).status_code == 200
    assert visitor.stolen.get(OLD_API).status_code == 401
    assert 'id="login-form"' in visitor.stolen.get(PAGE).text


def test_a_thief_who_listens_hears_nothing_after_the_logout(visitor: Visitor) -> None:
    with visitor.stolen.stream("GET", f"{OLD_API}/events") as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        visitor.http.post(LOGOUT, json={})
        rest = list(lines)  # the stream ends; otherwise the client's timeout fails the test
    assert "event: logged-out" in rest
    assert not any(line.startswith('data: {"success"') for line in rest[rest.index("event: logged-out") :])


def test_logging_out_everywhere_ends_every_login(
    system: System, visitor: Visitor, log_in: Callable[[], Visitor]
) -> None:
    others = [log_in() for _ in range(3)]
    listed = system.cli("logins")
    assert "login" in listed
    assert "Logged out everywhere" in system.cli("logout", "--all")
    for each in (visitor, *others):
        assert each.http.get(OLD_API).status_code == 401
        assert each.stolen.get(OLD_API).status_code == 401


def test_nothing_on_the_disk_lets_anybody_in(system: System, visitor: Visitor) -> None:
    cookie = next(iter(visitor.http.cookies.values()))
    secret = cookie.partition(".")[0].encode()
    for file in (path for path in system.data.rglob("*") if path.is_file() and "/keys/" not in str(path)):
        data = file.read_bytes()
        assert secret not in data, file
        assert system.key.encode() not in data, file


def test_guesses_are_slowed_and_told_and_never_lock_the_owner_out(
    system: System, visitor: Visitor, log_in: Callable[[], Visitor]
) -> None:
    guess = system.key[:-1] + ("A" if system.key[-1] != "A" else "B")
    with ThreadPoolExecutor(8) as pool:
        ways = [{"X-API-Key": guess}, {"Authorization": f"Bearer {guess}"}]
        asked = [
            pool.submit(httpx.get, system.url + OLD_API, headers=ways[number % 2], timeout=8) for number in range(60)
        ]
        asked += [pool.submit(httpx.post, system.url + LOGIN, json={"key": guess}, timeout=8) for _ in range(20)]
        answers = [each.result() for each in asked]
    statuses = [each.status_code for each in answers]
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 12
    waits = [int(each.headers["Retry-After"]) for each in answers if each.status_code == 429]
    assert max(waits) > 60
    assert system.get()["success"] is True, "the right key is let in at once, from the same address"
    assert visitor.http.get(OLD_API).status_code == 200
    assert log_in().http.get(OLD_API).status_code == 200
    told = [line for line in system.log_of("gateway") if line["event"] == "wrong_key"]
    assert 0 < len(told) < 20
    assert told[0]["network"] == "127.0.0.1"
    assert guess[3:12] not in json.dumps(told)


def test_a_weak_key_does_not_start(tmp_path: Path, standin: StandInProcess) -> None:
    weak = System(tmp_path, standin.web_url, API_KEY="0123456789abcdef")
    said = weak.cli("up", check=False)
    assert "API_KEY" in said
    assert "openssl rand -hex 32" in said
    assert "0123456789abcdef" not in said
    assert not weak.data.exists(), "nothing was started"


def test_one_key_sends_one_message_and_never_another_one(system: System, phone: Phone) -> None:
    sent = system.post("send-test-message", key="one-key", phoneNumber=NUMBER, message="the first")
    assert sent.status_code == 200, sent.text
    again = system.post("send-test-message", key="one-key", phoneNumber=NUMBER, message="the first")
    assert (again.status_code, again.json()["messageId"]) == (200, sent.json()["messageId"])
    for fields in (
        {"phoneNumber": NUMBER, "message": "another"},
        {"phoneNumber": "201234567899", "message": "the first"},
    ):
        refused = system.post("send-test-message", key="one-key", **fields)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert [each.text for each in phone.messages()] == ["the first"]


def test_many_at_once_with_one_key_are_one_command(system: System) -> None:
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(system.post, "backup", key="one-backup") for _ in range(6)]
        answers = [each.result() for each in asked]
    assert {each.status_code for each in answers} <= {200, 202}
    assert len({each.text for each in answers}) == 1
