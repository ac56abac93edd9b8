"""Who may pass: the API key, the page's cookie, and the CSRF token that belongs to a login.

The module holds secrets only as SHA-256 digests and as a derived signing key. The signing key depends on the API key
too, so a new API key ends every login. Every comparison of secrets goes through `compare_digest`, whose time does not
depend on where two texts differ.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

COOKIE_SECONDS = 12 * 3600
MIN_KEY_CHARACTERS = 16


@dataclass(frozen=True)
class Login:
    """One login of the page. `expires` in Unix seconds."""

    nonce: str
    expires: int


class Authenticator:
    """Holds the digest of the API key, never the key."""

    def __init__(self, api_key: str, cookie_secret: str = "") -> None:
        self._digest = _sha256(api_key)
        self._signing_key = hmac.digest(cookie_secret.encode(), b"cookie:" + self._digest, "sha256")

    def accepts(self, presented: str) -> bool:
        return hmac.compare_digest(_sha256(presented), self._digest)

    def issue(self, nonce: str, now: float) -> tuple[str, Login]:
        """A cookie's value for a new login; `nonce` must be random and URL-safe."""
        login = Login(nonce, int(now) + COOKIE_SECONDS)
        payload = base64.urlsafe_b64encode(f"{login.expires}:{nonce}".encode()).decode().rstrip("=")
        return f"{payload}.{self._sign('login', payload)}", login

    def read(self, cookie: str, now: float) -> Login | None:
        """The login in a cookie; None when it is forged, broken or expired."""
        payload, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("login", payload).encode()):
            return None
        try:
            expires, _, nonce = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode().partition(":")
            login = Login(nonce, int(expires))
        except (binascii.Error, ValueError):
            return None
        return login if login.expires > now else None

    def csrf_token(self, login: Login) -> str:
        return self._sign("csrf", login.nonce)

    def accepts_csrf(self, login: Login, presented: str) -> bool:
        return hmac.compare_digest(presented.encode(), self.csrf_token(login).encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.digest(self._signing_key, f"{purpose}:{text}".encode(), "sha256").hex()


def bearer(authorization: str) -> str:
    """The token of an Authorization header, or ""."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def same_origin(origin: str, fetch_site: str, host: str) -> bool:
    """Whether a request comes from our own page. Without an Origin header, Sec-Fetch-Site must say so."""
    if origin:
        return origin.split("://", 1)[-1].lower() == host.lower() and "://" in origin
    return fetch_site == "same-origin"


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
