"""Who may use which route: keys, the page's cookie, CSRF, headers. The routes are read from the app, so that a new
route is locked or fails here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from gateway_stage import API, API_KEY, KEY, Owner
from pydantic import SecretStr
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from gateway.bootstrap import Gateway
from gateway.domain.logins import MOST_LOGINS
from gateway.handlers import event_stream
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.logins import LoginRecord
from shared.testing import eventually_sync

OPEN = {
    "/health/live",
    "/health/ready",
    "/",
    "/persistent-session",
    "/persistent-session/login",
    "/static/<path:filename>",
}
"""Routes that need no key."""
LOGIN, LOGOUT, PAGE = "/persistent-session/login", "/persistent-session/logout", "/persistent-session"
ORIGIN = {"Origin": "http://localhost"}


def routes(gateway: Gateway) -> Iterator[tuple[str, str]]:
    for rule in gateway.app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            yield rule.rule, method


def ask(client: FlaskClient, rule: str, method: str, headers: dict[str, str]) -> TestResponse:
    body = {"json": {"action": "initialize", "key": "x"}} if method == "POST" else {}
    path = rule.replace("<path:filename>", "page.css")
    return client.open(path, method=method, headers=headers, buffered=False, **body)


def login(client: FlaskClient, **options: Any) -> str:
    """Log the client in; its CSRF token."""
    answer = client.post(LOGIN, json={"key": API_KEY}, **options)
    assert answer.status_code == 200
    return str(answer.json["csrfToken"])


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}])
def test_every_route_is_locked_but_for_the_few_that_must_be_open(
    open_gateway: Callable[..., Gateway], headers: dict[str, str]
) -> None:
    gateway = open_gateway(login_per_minute=1000)
    client = gateway.app.test_client()
    seen = set()
    for rule, method in routes(gateway):
        seen.add(rule)
        if rule in OPEN or rule == LOGOUT:  # which is harmless without a login
            continue
        answer = ask(client, rule, method, headers)
        assert answer.status_code == 401, (rule, method)
        answer.close()
    assert {API, f"{API}/events", f"{API}/qr.png", f"{API}/qr.svg", "/metrics"} <= seen - OPEN


def test_a_wrong_key_is_refused_on_the_page_too(client: FlaskClient) -> None:
    assert client.get(PAGE, headers={"X-API-Key": "wrong"}).status_code == 401


def test_strangers_cannot_tell_which_addresses_exist(client: FlaskClient) -> None:
    assert client.get("/api/none").status_code == client.get(API).status_code == 401
    assert client.options(API).status_code == 401


def test_without_a_login_the_page_shows_the_login_form_and_nothing_else(client: FlaskClient) -> None:
    page = client.get(PAGE).text
    assert 'id="login-form"' in page
    assert 'id="state-name"' not in page
    assert '"csrf": ""' in page


def test_the_root_leads_to_the_page(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, PAGE)


def test_every_answer_carries_the_security_headers(gateway: Gateway, client: FlaskClient) -> None:
    for rule, method in routes(gateway):
        answer = ask(client, rule, method, {})
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'"), rule
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer.headers
        answer.close()


def test_a_login_gives_a_cookie_that_scripts_and_other_sites_cannot_use(client: FlaskClient) -> None:
    answer = client.post(LOGIN, json={"key": API_KEY})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Max-Age=43200" in cookie
    assert cookie.startswith("ps_")
    assert "Secure" not in cookie
    assert API_KEY not in cookie
    behind_tls = client.post(LOGIN, json={"key": API_KEY}, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in behind_tls.headers["Set-Cookie"]
    assert behind_tls.headers["Set-Cookie"].startswith("__Host-ps_")
    assert "Path=/;" in behind_tls.headers["Set-Cookie"] + ";"
    assert "Domain" not in behind_tls.headers["Set-Cookie"]


@pytest.mark.parametrize("body", [{"key": "wrong"}, {"key": ""}, {}, {"key": 7}])
def test_a_wrong_key_logs_nobody_in(client: FlaskClient, body: dict[str, Any]) -> None:
    answer = client.post(LOGIN, json=body)
    assert answer.status_code in (400, 401)
    assert "Set-Cookie" not in answer.headers


def test_logins_are_limited_for_each_address(open_gateway: Callable[..., Gateway]) -> None:
    client = open_gateway(login_per_minute=3, trusted_proxies=1).app.test_client()

    def attempt(address: str) -> TestResponse:
        return client.post(LOGIN, json={"key": "wrong"}, headers={"X-Forwarded-For": f"9.9.9.9, {address}"})

    assert [attempt("1.1.1.1").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert int(attempt("1.1.1.1").headers["Retry-After"]) > 0
    assert attempt("2.2.2.2").status_code == 401


def test_a_right_key_is_let_in_at_once_however_many_wrong_ones_came_from_its_address(
    open_gateway: Callable[..., Gateway],
) -> None:
    client = open_gateway().app.test_client()
    ways = [{"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}]
    answers = [client.get(API, headers=ways[number % 2]) for number in range(40)]
    assert [each.status_code for each in answers] == [401] * 10 + [429] * 30
    waits = [int(each.headers["Retry-After"]) for each in answers[10:]]
    assert waits == sorted(waits)
    assert waits[-1] > 60
    assert answers[-1].json["code"] == "too_many_wrong_keys"
    assert client.post(LOGIN, json={"key": "wrong"}).status_code == 429, "one account for all ways"
    assert client.get(API, headers=KEY).status_code == 200
    assert client.get(API, headers={"Authorization": f"Bearer {API_KEY}"}).status_code == 200
    login(client)
    assert client.get(API).status_code == 200


def test_wrong_keys_are_logged_without_the_key_and_without_filling_the_log(
    open_gateway: Callable[..., Gateway],
) -> None:
    client = open_gateway(trusted_proxies=1).app.test_client()
    guess = "guess-" + API_KEY[:-1]
    with capture_logs() as lines:
        for number in range(300):
            address = f"2001:db8:{number:x}::1"
            client.get(API, headers={"X-API-Key": guess, "X-Forwarded-For": address})
            client.get(API, headers={"X-API-Key": guess, "X-Forwarded-For": "203.0.113.7"})
    told = [line for line in lines if line["event"] == "wrong_key"]
    assert 0 < len(told) <= 40
    assert {"network": "203.0.113.7", "way": "header"}.items() <= told[1].items()
    assert guess not in repr(lines)
    assert API_KEY[:8] not in repr(lines)
    assert 'wa_gateway_wrong_keys_total{source="header"} 600.0' in client.get("/metrics", headers=KEY).text


def test_without_a_trusted_proxy_the_forwarded_address_counts_for_nothing(
    open_gateway: Callable[..., Gateway],
) -> None:
    client = open_gateway(login_per_minute=1).app.test_client()
    answers = [
        client.post(LOGIN, json={"key": "wrong"}, headers={"X-Forwarded-For": address}).status_code
        for address in ("1.1.1.1", "2.2.2.2")
    ]
    assert answers == [401, 429]


def test_another_site_cannot_log_a_visitor_in(client: FlaskClient) -> None:
    foreign = {"Origin": "https://evil.example"}
    answer = client.post(LOGIN, json={"key": API_KEY}, headers=foreign)
    assert (answer.status_code, answer.json["code"]) == (403, "foreign_origin")


def test_the_cookie_reads(client: FlaskClient) -> None:
    login(client)
    assert client.get(API).status_code == 200
    assert 'id="state-name"' in client.get(PAGE).text


def test_the_cookie_alone_changes_nothing(gateway: Gateway, client: FlaskClient) -> None:
    token = login(client)
    action = {"action": "initialize"}
    for headers, code in (
        ({}, "csrf"),
        (ORIGIN, "csrf"),
        ({"X-CSRF-Token": "wrong", **ORIGIN}, "csrf"),
        ({"X-CSRF-Token": token}, "foreign_origin"),
        ({"X-CSRF-Token": token, "Origin": "https://evil.example"}, "foreign_origin"),
        ({"X-CSRF-Token": token, "Origin": "null"}, "foreign_origin"),
        ({"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"}, "foreign_origin"),
    ):
        answer = client.post(API, json=action, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (403, code), headers
        assert answer.json["success"] is False
    assert gateway.view.session("whatsapp-automation-pro-v2").record is None
    assert client.post(API, json=action, headers={"X-CSRF-Token": token, **ORIGIN}).status_code == 200


def test_a_csrf_token_of_another_login_is_none(gateway: Gateway) -> None:
    mine, other = gateway.app.test_client(), gateway.app.test_client()
    login(mine)
    answer = mine.post(API, json={"action": "initialize"}, headers={"X-CSRF-Token": login(other), **ORIGIN})
    assert answer.status_code == 403


def test_a_wrong_key_is_refused_although_the_cookie_is_good(client: FlaskClient) -> None:
    login(client)
    assert client.get(API, headers={"X-API-Key": "wrong"}).status_code == 401


def test_a_forged_cookie_is_refused_without_asking_nats(gateway: Gateway, client: FlaskClient) -> None:
    name = gateway._authenticator.cookie_name
    asked: list[str] = []
    gateway.logins._read = lambda login_id: asked.append(login_id)  # type: ignore[func-returns-value]
    for forged in ("a.b", "x" * 500, gateway._authenticator.cookie("s")[:-1] + "~"):
        client.set_cookie(name, forged)
        assert client.get(API).status_code == 401
    assert asked == []
    client.set_cookie(name, gateway._authenticator.cookie("never-logged-in"))
    assert client.get(API).status_code == 401
    assert len(asked) == 1


def test_logging_out_takes_the_cookie_away_and_needs_the_token(client: FlaskClient) -> None:
    token = login(client)
    assert client.post(LOGOUT, json={}).status_code == 403
    assert client.post(LOGOUT, json={}, headers={"X-CSRF-Token": token, **ORIGIN}).status_code == 200
    assert client.get(API).status_code == 401


def test_a_logout_revokes_the_cookie_itself(gateway: Gateway, client: FlaskClient) -> None:
    thief = gateway.app.test_client()
    token = login(client)
    stolen = client.get_cookie(gateway._authenticator.cookie_name)
    assert stolen is not None
    thief.set_cookie(gateway._authenticator.cookie_name, stolen.value)
    assert thief.get(API).status_code == 200
    assert client.post(LOGOUT, json={}, headers={"X-CSRF-Token": token, **ORIGIN}).status_code == 200
    assert thief.get(API).status_code == 401
    assert 'id="login-form"' in thief.get(PAGE).text


def test_nats_holds_only_a_hash_of_the_cookie(gateway: Gateway, client: FlaskClient, owner: Owner) -> None:
    login(client)
    cookie = client.get_cookie(gateway._authenticator.cookie_name)
    assert cookie is not None
    secret, _, signature = cookie.value.partition(".")
    records = owner.run(owner.bus.bucket(subjects.LOGINS_BUCKET, LoginRecord).keys())
    assert gateway._authenticator.login_id(cookie.value) in records
    kept = [owner.run(owner.bus.bucket(subjects.LOGINS_BUCKET, LoginRecord).get(each)) for each in records]
    for text in (secret, signature, API_KEY, gateway._authenticator.csrf_token("x")[:20]):
        assert text not in repr(kept)


def test_logins_are_listed_and_ended_one_by_one_and_all_at_once(gateway: Gateway) -> None:
    mine, other, third = (gateway.app.test_client() for _ in range(3))
    token = login(
        mine, headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    )
    login(other)
    login(third)
    listed = mine.get(f"{API}/logins").json["logins"]
    (current,) = [each for each in listed if each["current"]]
    assert (current["client"], current["address"]) == ("Firefox · Linux", "127.0.0.1")
    others = [each["id"] for each in listed if not each["current"]]
    assert mine.delete(f"{API}/logins/{others[0]}").status_code == 403, "the cookie alone changes nothing"
    proof = {"X-CSRF-Token": token, **ORIGIN}
    assert mine.delete(f"{API}/logins/{others[0]}", headers=proof).status_code == 200
    assert sorted(each.get(API).status_code for each in (mine, other, third)) == [200, 200, 401]
    again = mine.delete(f"{API}/logins/{others[0]}", headers=proof)
    assert (again.status_code, again.json["code"]) == (404, "not_found")
    assert mine.delete(f"{API}/logins", headers=proof).status_code == 200
    assert [each.get(API).status_code for each in (mine, other, third)] == [401, 401, 401]
    assert mine.get(f"{API}/logins", headers=KEY).json["logins"] == []


def test_a_second_gateway_knows_the_logins_and_their_ends_at_once(open_gateway: Callable[..., Gateway]) -> None:
    first, second = open_gateway(), open_gateway()
    here, there = first.app.test_client(), second.app.test_client()
    token = login(here)
    cookie = here.get_cookie(first._authenticator.cookie_name)
    assert cookie is not None
    there.set_cookie(first._authenticator.cookie_name, cookie.value)
    assert there.get(API).status_code == 200
    here.post(LOGOUT, json={}, headers={"X-CSRF-Token": token, **ORIGIN})
    eventually_sync(lambda: there.get(API).status_code == 401)
    restarted = open_gateway().app.test_client()
    restarted.set_cookie(first._authenticator.cookie_name, cookie.value)
    assert restarted.get(API).status_code == 401, "NATS holds it no more"


def test_a_login_outlives_a_restart_and_ends_with_a_new_key(open_gateway: Callable[..., Gateway]) -> None:
    first = open_gateway()
    client = first.app.test_client()
    login(client)
    cookie = client.get_cookie(first._authenticator.cookie_name)
    assert cookie is not None
    first.end()
    restarted, rekeyed = open_gateway(), open_gateway(cookie_secret=SecretStr("another secret"))
    for gateway, expected in ((restarted, 200), (rekeyed, 401)):
        visitor = gateway.app.test_client()
        visitor.set_cookie(restarted._authenticator.cookie_name, cookie.value)
        visitor.set_cookie(rekeyed._authenticator.cookie_name, cookie.value)
        assert visitor.get(API).status_code == expected
    eventually_sync(lambda: rekeyed.logins.all() == [])


class MovedClock(SystemClock):
    """The machine's clock, moved by a test."""

    moved = timedelta()

    def now(self) -> datetime:
        return super().now() + self.moved


def test_an_unused_login_ends_although_its_page_is_open(open_gateway: Callable[..., Gateway]) -> None:
    clock = MovedClock()
    client = open_gateway(login_idle_ms=600_000, clock=clock).app.test_client()
    login(client)
    for minutes in (3, 6, 9):
        clock.moved = timedelta(minutes=minutes)
        assert client.get(API).status_code == 200
    clock.moved = timedelta(minutes=10)
    assert client.get(API).status_code == 401, "what an open page asks on its own is no use of it"


def test_use_puts_the_idle_end_off_but_never_the_last_one(open_gateway: Callable[..., Gateway]) -> None:
    clock = MovedClock()
    client = open_gateway(login_idle_ms=600_000, login_longest_ms=3_600_000, clock=clock).app.test_client()
    login(client)
    for minutes in range(8, 60, 8):
        clock.moved = timedelta(minutes=minutes)
        assert 'id="state-name"' in client.get(PAGE).text
    clock.moved = timedelta(minutes=60)
    assert client.get(API).status_code == 401


def test_a_used_login_is_recorded_and_an_ended_one_is_not_brought_back_by_its_use(
    open_gateway: Callable[..., Gateway],
) -> None:
    clock = MovedClock()
    first, second = open_gateway(clock=clock), open_gateway(clock=clock)
    client = first.app.test_client()
    login(client)
    (record,) = eventually_sync(second.logins.all)
    clock.moved = timedelta(minutes=5)
    client.get(PAGE)
    eventually_sync(lambda: second.logins.all()[0].seen_at > record.seen_at)
    second.logins.end([record.id], timeout=2)
    first.logins._ended.clear()  # as if the news had not come yet
    first.logins.use(record)
    eventually_sync(lambda: first.logins.find(record.id) is None and not first.logins._pending)
    assert second.logins.all() == []


def test_an_open_stream_ends_with_its_login(open_gateway: Callable[..., Gateway]) -> None:
    gateway = open_gateway()
    client = gateway.app.test_client()
    login(client)
    answer = client.get(f"{API}/events", buffered=False)
    frames = iter(answer.response)
    assert next(frames).startswith(b"retry")
    (ended,) = [each.id for each in gateway.logins.all()]
    gateway.logins.end([ended], timeout=1)
    assert list(frames)[-1].startswith(b"event: logged-out")
    answer.close()


@pytest.mark.parametrize("end", ["idle", "longest"])
def test_an_open_stream_ends_when_its_login_has_lasted_long_enough(
    open_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.1)
    clock = MovedClock()
    settings = {"login_idle_ms": 600_000} if end == "idle" else {"login_longest_ms": 600_000}
    client = open_gateway(clock=clock, **settings).app.test_client()
    login(client)
    answer = client.get(f"{API}/events", buffered=False)
    frames = iter(answer.response)
    next(frames)
    clock.moved = timedelta(minutes=9)
    assert b"heartbeat" in b"".join(next(frames) for _ in range(3))
    clock.moved = timedelta(minutes=10)
    assert list(frames)[-1].startswith(b"event: logged-out")
    answer.close()


def test_more_logins_than_people_have_browsers_end_the_one_unused_longest(open_gateway: Callable[..., Gateway]) -> None:
    gateway = open_gateway()
    for _ in range(MOST_LOGINS + 3):
        login(gateway.app.test_client())
    assert len(gateway.logins.all()) == MOST_LOGINS


def test_an_http_page_of_the_same_host_cannot_post_to_https(client: FlaskClient) -> None:
    https = {"X-Forwarded-Proto": "https"}
    token = str(client.post(LOGIN, json={"key": API_KEY}, base_url="https://localhost").json["csrfToken"])
    for origin, expected in (("http://localhost", 403), ("https://localhost", 200)):
        answer = client.post(
            API,
            json={"action": "initialize"},
            base_url="https://localhost",
            headers={"X-CSRF-Token": token, "Origin": origin, **https},
        )
        assert answer.status_code == expected, origin
        logged_in = client.post(LOGIN, json={"key": API_KEY}, headers={"Origin": origin, **https})
        assert logged_in.status_code == expected, origin


def test_https_is_demanded_where_there_is_https(gateway: Gateway, client: FlaskClient) -> None:
    for rule, method in routes(gateway):
        answer = client.open(rule.replace("<path:filename>", "page.css"), method=method, base_url="https://localhost")
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000"), rule
        answer.close()
    assert "Strict-Transport-Security" not in client.get(PAGE).headers


def test_metrics_are_for_the_token_and_the_key_and_not_for_this_machine(
    client: FlaskClient, open_gateway: Callable[..., Gateway]
) -> None:
    for address in ("127.0.0.1", "::1", "10.0.0.9"):
        refused = client.get("/metrics", environ_base={"REMOTE_ADDR": address})
        assert (refused.status_code, "wa_" in refused.text, "METRICS_TOKEN" in refused.text) == (401, False, True)
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.9"}, headers=KEY).status_code == 200
    assert client.get("/metrics", headers={"X-API-Key": "wrong"}).status_code == 401
    with_token = open_gateway(metrics_token="scrape-me").app.test_client()
    assert with_token.get("/metrics").status_code == 401
    assert with_token.get("/metrics", headers={"Authorization": "Bearer no"}).status_code == 401
    answer = with_token.get("/metrics", headers={"Authorization": "Bearer scrape-me"})
    assert answer.status_code == 200
    assert "wa_gateway_requests_total" in answer.text
    assert "wa_bus_connected 1.0" in answer.text


def test_metrics_have_no_address_or_number_as_label(client: FlaskClient) -> None:
    client.get("/api/201234567890", headers=KEY)
    client.open("/x", method="BREW", headers=KEY)
    text = client.get("/metrics", headers=KEY).text
    assert "201234567890" not in text
    assert "BREW" not in text
    assert 'method="other",route="none"' in text


def test_the_page_speaks_the_visitors_language_and_remembers_the_choice(client: FlaskClient) -> None:
    arabic = client.get(PAGE, headers={"Accept-Language": "ar-EG,en;q=0.5"}).text
    assert '<html lang="ar" dir="rtl">' in arabic
    assert "الجلسة الدائمة" in arabic
    assert '<html lang="en" dir="ltr">' in client.get(PAGE).text
    assert '<html lang="ar" dir="rtl">' in client.get(f"{PAGE}?lang=ar").text
    assert '<html lang="ar" dir="rtl">' in client.get(PAGE, headers={"Accept-Language": "en"}).text


def test_a_session_name_from_the_address_is_no_way_in(client: FlaskClient) -> None:
    login(client)
    answer = client.get(f"{PAGE}?session=%3C%2Fscript%3E%3Cscript%3Ealert(1)")
    assert answer.status_code == 400
    assert "<script" not in answer.text
