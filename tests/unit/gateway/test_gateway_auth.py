"""Keys, cookies and CSRF tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.domain.auth import COOKIE_SECONDS, Authenticator, bearer, same_origin

KEY = "a-key-of-sixteen-or-more"
NOW = 1_800_000_000.0


@given(some.text())
def test_only_the_key_itself_is_accepted(presented: str) -> None:
    assert Authenticator(KEY).accepts(presented) == (presented == KEY)


def test_the_key_is_not_kept() -> None:
    assert KEY not in repr(vars(Authenticator(KEY)))
    assert KEY.encode() not in vars(Authenticator(KEY)).values()


def test_a_cookie_holds_for_twelve_hours() -> None:
    ring = Authenticator(KEY)
    cookie, login = ring.issue("nonce-1", NOW)
    assert ring.read(cookie, NOW) == login
    assert ring.read(cookie, NOW + COOKIE_SECONDS - 1) == login
    assert ring.read(cookie, NOW + COOKIE_SECONDS) is None


def test_a_cookie_ends_with_its_key_and_with_its_secret() -> None:
    cookie, _ = Authenticator(KEY, "secret").issue("nonce-1", NOW)
    assert Authenticator("another-key-of-sixteen", "secret").read(cookie, NOW) is None
    assert Authenticator(KEY, "other").read(cookie, NOW) is None


@given(some.integers(min_value=0), some.characters(codec="ascii"))
def test_a_changed_cookie_is_refused(index: int, character: str) -> None:
    ring = Authenticator(KEY)
    cookie, _ = ring.issue("nonce-1", NOW)
    index %= len(cookie)
    forged = cookie[:index] + character + cookie[index + 1 :]
    assert forged == cookie or ring.read(forged, NOW) is None


@given(some.text())
def test_garbage_is_no_cookie(text: str) -> None:
    try:
        assert Authenticator(KEY).read(text, NOW) is None
    except UnicodeEncodeError:
        pytest.fail("garbage must not crash the reader")


def test_a_csrf_token_belongs_to_one_login() -> None:
    ring = Authenticator(KEY)
    _, mine = ring.issue("nonce-1", NOW)
    _, other = ring.issue("nonce-2", NOW)
    assert ring.accepts_csrf(mine, ring.csrf_token(mine))
    assert not ring.accepts_csrf(mine, ring.csrf_token(other))
    assert not ring.accepts_csrf(mine, "")
    assert not ring.accepts_csrf(mine, "é")


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
        ("null", "same-origin", False),
        ("shop.example", "", False),
        ("", "same-origin", True),
        ("", "cross-site", False),
        ("", "", False),
    ],
)
def test_only_our_own_page_is_the_same_origin(origin: str, site: str, same: bool) -> None:
    assert same_origin(origin, site, "shop.example") == same
