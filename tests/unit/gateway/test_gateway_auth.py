"""Keys, cookies, CSRF tokens and origins."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.domain.auth import Authenticator, bearer, same_origin
from shared.contracts.identifiers import MIN_KEY_CHARACTERS, key_weakness

KEY = "a-key-of-thirty-two-or-more-characters"


@given(some.text())
def test_only_the_key_itself_is_accepted(presented: str) -> None:
    assert Authenticator(KEY).accepts(presented) == (presented == KEY)


def test_the_key_is_not_kept() -> None:
    assert KEY not in repr(vars(Authenticator(KEY)))
    assert KEY.encode() not in vars(Authenticator(KEY)).values()


@pytest.mark.parametrize("key", ["8f14e45fceea167a5a36dedd4bea2543", KEY, "0123456789abcdef" * 2])
def test_a_long_key_of_many_characters_is_strong(key: str) -> None:
    assert key_weakness(key) == ""


@pytest.mark.parametrize(
    "key", ["", "hunter2", "0123456789abcdef", "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p", "a" * 64, "abc" * 20]
)
def test_a_short_or_monotonous_key_is_weak_and_not_repeated(key: str) -> None:
    assert key_weakness(key)
    assert not key or key not in key_weakness(key)


def test_no_random_key_of_the_shortest_length_is_weak() -> None:
    assert not any(key_weakness(secrets.token_hex(MIN_KEY_CHARACTERS // 2)) for _ in range(2000))


def test_a_cookie_names_one_login_and_not_its_secret() -> None:
    ring = Authenticator(KEY)
    cookie = ring.cookie("secret-1")
    assert ring.login_id(cookie) == ring.login_id(cookie) != ""
    assert ring.login_id(cookie) != ring.login_id(ring.cookie("secret-2"))
    assert ring.login_id(cookie) not in cookie


def test_a_cookie_is_good_for_one_key_and_one_secret_only() -> None:
    cookie = Authenticator(KEY, "secret").cookie("nonce-1")
    assert Authenticator("another-key-of-thirty-two-characters", "secret").login_id(cookie) == ""
    assert Authenticator(KEY, "other").login_id(cookie) == ""
    assert Authenticator(KEY, "secret").key_id != Authenticator(KEY, "other").key_id


def test_each_system_has_a_cookie_name_of_its_own_that_a_restart_keeps() -> None:
    names = [
        Authenticator(KEY, "secret", system="shop").cookie_name,
        Authenticator(KEY, "other", system="shop").cookie_name,
        Authenticator(KEY, "secret", system="office").cookie_name,
        Authenticator(KEY + "x", "secret", system="shop").cookie_name,
    ]
    assert len(set(names)) == 4
    assert Authenticator(KEY, "secret", system="shop").cookie_name == names[0]
    assert all(name.isascii() and name.replace("_", "").isalnum() for name in names)


@given(some.integers(min_value=0), some.characters(codec="ascii"))
def test_a_changed_cookie_is_refused(index: int, character: str) -> None:
    ring = Authenticator(KEY)
    cookie = ring.cookie("nonce-1")
    index %= len(cookie)
    forged = cookie[:index] + character + cookie[index + 1 :]
    assert forged == cookie or ring.login_id(forged) == ""


@given(some.text(some.characters()))
def test_garbage_is_no_cookie_and_no_token(text: str) -> None:
    ring = Authenticator(KEY)
    assert ring.login_id(text) == ""
    assert not ring.accepts_csrf("login", text)
    assert not ring.accepts(text)


def test_a_csrf_token_belongs_to_one_login() -> None:
    ring = Authenticator(KEY)
    assert ring.accepts_csrf("mine", ring.csrf_token("mine"))
    assert not ring.accepts_csrf("mine", ring.csrf_token("other"))
    assert not ring.accepts_csrf("mine", "")
    assert not ring.accepts_csrf("mine", "é")


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", ""), ("", ""), ("Bearer", ""), ("abc", "")],
)
def test_a_bearer_token_is_read(header: str, token: str) -> None:
    assert bearer(header) == token


@pytest.mark.parametrize(
    ("origin", "site", "same"),
    [
        ("https://shop.example", "", True),
        ("https://SHOP.example", "cross-site", True),
        ("https://evil.example", "same-origin", False),
        ("https://shop.example.evil", "", False),
        ("http://shop.example", "", False),
        ("http://shop.example", "same-origin", False),
        ("https://shop.example:8443", "", False),
        ("null", "same-origin", False),
        ("shop.example", "", False),
        ("", "same-origin", True),
        ("", "cross-site", False),
        ("", "", False),
    ],
)
def test_only_our_own_page_is_the_same_origin(origin: str, site: str, same: bool) -> None:
    assert same_origin(origin, site, "shop.example", "https") == same


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "same"),
    [
        ("https://shop.example", "shop.example:443", "https", True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "http", True),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", "http", False),
        ("https://127.0.0.1:8080", "127.0.0.1:8080", "http", False),
        ("http://[::1]:8080", "[::1]:8080", "http", True),
    ],
)
def test_scheme_and_port_count(origin: str, host: str, scheme: str, same: bool) -> None:
    assert same_origin(origin, "", host, scheme) == same
