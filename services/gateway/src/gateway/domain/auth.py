"""Who may pass: the API key, the page's cookie, and the CSRF token that belongs to a login.

The module holds secrets only as SHA-256 digests and as a derived signing key. The signing key depends on the API key
too, so a new API key ends every login. Every comparison of secrets goes through `compare_digest`, whose time does not
depend on where two texts differ.
"""

from __future__ import annotations

import hashlib
import hmac

_ID_CHARACTERS = 32
_NAME_CHARACTERS = 10


class Authenticator:
    """Holds the digest of the API key, never the key. `system` tells systems apart that share key and secret."""

    def __init__(self, api_key: str, cookie_secret: str = "", *, system: str = "") -> None:
        self._digest = _sha256(api_key)
        self._signing_key = hmac.digest(cookie_secret.encode(), b"cookie:" + self._digest, "sha256")
        self.key_id = self._sign("key", "")[:_ID_CHARACTERS]
        """What every login of this key and secret carries."""
        self.cookie_name = f"ps_{self._sign('name', system)[:_NAME_CHARACTERS]}"
        """The system's own. Browsers send a cookie to every port of a host, so systems on one host would overwrite a
        cookie of a common name."""

    def accepts(self, presented: str) -> bool:
        return hmac.compare_digest(_sha256(presented), self._digest)

    def cookie(self, secret: str) -> str:
        """A cookie's value; `secret` must be random, URL-safe and kept nowhere."""
        return f"{secret}.{self._sign('cookie', secret)}"

    def login_id(self, cookie: str) -> str:
        """The id of the cookie's login, or "" for a cookie that was not made here. Whether the login still lasts is
        another question."""
        secret, _, signature = cookie.partition(".")
        if not hmac.compare_digest(_bytes(signature), self._sign("cookie", secret).encode()):
            return ""
        return self._sign("login", secret)[:_ID_CHARACTERS]

    def csrf_token(self, login_id: str) -> str:
        return self._sign("csrf", login_id)

    def accepts_csrf(self, login_id: str, presented: str) -> bool:
        return hmac.compare_digest(_bytes(presented), self.csrf_token(login_id).encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.digest(self._signing_key, f"{purpose}:".encode() + _bytes(text), "sha256").hex()


def bearer(authorization: str) -> str:
    """The token of an Authorization header, or ""."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def same_origin(origin: str, fetch_site: str, host: str, scheme: str) -> bool:
    """Whether a request comes from our own page, at `scheme://host`. Without an Origin header, Sec-Fetch-Site must say
    so. The scheme counts: whoever sits on the network can answer for http://, but not for https://."""
    if origin:
        standard = {"http": ":80", "https": ":443"}.get(scheme, "")
        return origin.lower() == f"{scheme}://{host.lower().removesuffix(standard)}"
    return fetch_site == "same-origin"


def _sha256(text: str) -> bytes:
    return hashlib.sha256(_bytes(text)).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
