"""Which Host names may be ours: a name that a stranger can own never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.host_names import RESERVED, is_foreign

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
PORT = st.sampled_from(["", ":80", ":65535"])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:9", "[::1]:9", "[fd12::1]", "10.1.2.3:80", "localhost", "LOCALHOST:1", "browser-worker:9",
     "browser_worker:9", "worker.railway.internal:9", "w.default.svc.cluster.local", "a.localhost"],
)  # fmt: skip
def test_an_address_a_containers_name_and_a_private_domain_may_be_ours(host: str) -> None:
    assert not is_foreign(host)


@pytest.mark.parametrize(
    "host",
    ["", " ", ":80", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example.", "a b",
     "evil.internal.com", "a/b", "a@127.0.0.1", "127.0.0.1:1:2", "127.0.0.1:x", "localhost:", "internal.", ".internal",
     "[evil.example]",
     "127.0.0.1\t", "\u200blocalhost"],
)  # fmt: skip
def test_everything_else_is_foreign(host: str) -> None:
    assert is_foreign(host)


@given(st.lists(LABEL, min_size=1, max_size=4), LABEL.filter(lambda last: last not in RESERVED), PORT)
def test_a_name_that_somebody_can_register_is_foreign(labels: list[str], last: str, port: str) -> None:
    name = ".".join([*labels, f"x{last}"])
    assert is_foreign(name + port)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    is_foreign(text)
