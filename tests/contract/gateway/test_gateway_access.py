"""Who may use which route: keys, the page's cookie, CSRF, headers. The routes are read from the app, so that a new
route is locked or fails here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from gateway_stage import API, API_KEY, KEY
from werkzeug.test import TestResponse

from gateway.bootstrap import Gateway
from gateway.domain.auth import COOKIE_SECONDS

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
    gateway: Gateway, client: FlaskClient, headers: dict[str, str]
) -> None:
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
    assert f"Max-Age={COOKIE_SECONDS}" in cookie
    assert "Secure" not in cookie
    assert API_KEY not in cookie
    behind_tls = client.post(LOGIN, json={"key": API_KEY}, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in behind_tls.headers["Set-Cookie"]


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


def test_a_forged_or_old_cookie_is_refused(gateway: Gateway, client: FlaskClient) -> None:
    from gateway.domain.auth import Authenticator

    authenticator = Authenticator(API_KEY)
    now = gateway._clock.now()
    cookie, _ = authenticator.issue("nonce", (now - timedelta(seconds=COOKIE_SECONDS + 1)).timestamp())
    client.set_cookie("persistent_session", cookie)
    assert client.get(API).status_code == 401
    client.set_cookie("persistent_session", "a.b")
    assert client.get(API).status_code == 401
    fresh, _ = authenticator.issue("nonce", now.timestamp())
    client.set_cookie("persistent_session", fresh)
    assert client.get(API).status_code == 200


def test_logging_out_takes_the_cookie_away_and_needs_the_token(client: FlaskClient) -> None:
    token = login(client)
    assert client.post(LOGOUT, json={}).status_code == 403
    assert client.post(LOGOUT, json={}, headers={"X-CSRF-Token": token, **ORIGIN}).status_code == 200
    assert client.get(API).status_code == 401


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
