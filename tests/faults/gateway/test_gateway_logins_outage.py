"""NATS goes while people are logged in: nobody is logged out for good or let in unknown, and no end is forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from gateway_stage import API, API_KEY, GatewayProcess, Owner

from shared.contracts import subjects
from shared.contracts.errors import TryAgain
from shared.contracts.logins import LoginRecord
from shared.testing import NatsServer, eventually_sync

PAGE = "/persistent-session"


@pytest.fixture
def visitor(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, headers={"Origin": gateway.url}, timeout=6) as http:
        log_in(http)
        yield http


def log_in(http: httpx.Client) -> None:
    answer = http.post(f"{PAGE}/login", json={"key": API_KEY})
    assert answer.status_code == 200, answer.text
    http.headers["X-CSRF-Token"] = answer.json()["csrfToken"]


def lose(nats: NatsServer, gateway: GatewayProcess) -> None:
    nats.kill()
    eventually_sync(lambda: not gateway.is_up("/health/ready"))


def come_back(nats: NatsServer, gateway: GatewayProcess) -> None:
    nats.restart()
    eventually_sync(lambda: gateway.is_up("/health/ready"), timeout=20)


def kept(owner: Owner) -> list[str] | None:
    """The ids that NATS holds; None while the test's own client is not connected again."""
    try:
        return owner.run(owner.bus.bucket(subjects.LOGINS_BUCKET, LoginRecord).keys())
    except TryAgain:
        return None


def test_who_was_logged_in_still_reads_and_is_logged_in_afterwards(
    own_nats: NatsServer, gateway: GatewayProcess, visitor: httpx.Client
) -> None:
    lose(own_nats, gateway)
    assert visitor.get(API).status_code == 200
    assert 'id="state-name"' in visitor.get(PAGE).text
    come_back(own_nats, gateway)
    assert visitor.get(API).status_code == 200


def test_after_a_restart_without_nats_a_login_is_unknown_and_neither_valid_nor_lost(
    own_nats: NatsServer, gateway: GatewayProcess, visitor: httpx.Client
) -> None:
    own_nats.kill()
    gateway.stop()
    gateway.start()
    answer = visitor.get(API)
    assert answer.status_code == 503, "unknown is not logged in"
    assert "Set-Cookie" not in answer.headers
    page = visitor.get(PAGE)
    assert 'id="login-form"' in page.text
    assert "cannot be checked" in page.text
    assert "Set-Cookie" not in page.headers
    come_back(own_nats, gateway)
    assert visitor.get(API).status_code == 200, "and unknown is not logged out"


def test_a_logout_during_the_outage_counts_at_once_says_what_is_owed_and_is_done_later(
    own_nats: NatsServer, gateway: GatewayProcess, owner: Owner, visitor: httpx.Client
) -> None:
    eventually_sync(lambda: len(kept(owner) or ()) == 1)
    lose(own_nats, gateway)
    answer = visitor.post(f"{PAGE}/logout", json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "end_pending")
    assert visitor.get(API).status_code == 401
    come_back(own_nats, gateway)
    eventually_sync(lambda: kept(owner) == [], timeout=15)
    assert visitor.get(API).status_code == 401


def test_a_login_during_the_outage_works_and_outlives_a_later_restart(
    own_nats: NatsServer, gateway: GatewayProcess, owner: Owner
) -> None:
    lose(own_nats, gateway)
    with httpx.Client(base_url=gateway.url, headers={"Origin": gateway.url}, timeout=6) as http:
        log_in(http)
        assert http.get(API).status_code == 200
        come_back(own_nats, gateway)
        eventually_sync(lambda: len(kept(owner) or ()) == 1, timeout=15)
        gateway.stop()
        gateway.start()
        eventually_sync(lambda: http.get(API).status_code == 200)
