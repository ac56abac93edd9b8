"""Numbers, keys, message texts and QR data never stand in a log line."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime import configure_logging, get_logger
from shared.runtime.redaction import REDACTED, clean, clean_value, never_log

SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
QR = "2@Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4,a2V5a2V5a2V5,aWRlbnRpdHk=,YWR2,1"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logging("shop", "info")
    yield written
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


SECRETS = {
    "a phone number": "201234567890",
    "a written phone number": "+20 123-456 7890",
    "a chat": "201234567890@c.us",
    "a seed": SEED,
    "a QR": QR,
    "a QR picture": "data:image/png;base64,iVBORw0KGgo=",
    "a password in a URL": "nats://admin:hunter22@127.0.0.1:4222",
    "a bearer key": "Authorization: Bearer abcdef123456",
    "a signature": "https://s3/x?X-Amz-Signature=deadbeef&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F2026",
}
LEAKS = ("1234567890", "123-456", SEED[:20], "Zm9vYmFy", "iVBOR", "hunter22", "abcdef123456", "deadbeef", "AKIAIOSF")


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_in_any_text_of_a_line_is_redacted(secret: str, lines: io.StringIO) -> None:
    get_logger().info("something_happened", detail=f"it was {secret}", nested={"deep": [secret]})
    get_logger().warning(f"said {secret}")
    assert REDACTED in lines.getvalue()
    assert not [leak for leak in LEAKS if leak in lines.getvalue()]


@pytest.mark.parametrize(
    "name",
    ["text", "message", "phone_number", "number", "qr", "qr_image", "api_key", "S3_SECRET_ACCESS_KEY", "nats_nkey_seed",
     "token", "body", "link_code"],
)  # fmt: skip
def test_a_field_with_a_revealing_name_is_redacted_whatever_it_holds(name: str, lines: io.StringIO) -> None:
    get_logger().info("something_happened", **{name: "hello dear"}, inner={name: "hello dear"})
    assert "hello dear" not in lines.getvalue()


def test_the_lines_and_the_tracebacks_of_libraries_are_redacted_too(lines: io.StringIO) -> None:
    logging.getLogger("botocore").error("cannot sign for %s", "201234567890")
    try:
        raise ValueError("no chat 201234567890@c.us")
    except ValueError:
        get_logger().exception("failed")
    assert "2012" not in lines.getvalue()
    assert "ValueError" in lines.getvalue()


def test_a_registered_secret_is_redacted_wherever_it_stands(lines: io.StringIO) -> None:
    never_log("open-sesame-please")
    get_logger().info("failed", detail="door said: open-sesame-please!")
    assert "sesame" not in lines.getvalue()


def test_what_operators_need_is_not_redacted(lines: io.StringIO) -> None:
    kept = {
        "session": "whatsapp-automation-pro-v2",
        "at": "2026-11-22T15:05:05.393687+00:00",
        "bytes": 157286400,
        "snapshot": "1-12-20261122T150505Z",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "version": "156.0.8078.79",
        "url": "http://127.0.0.1:18333",
        "seconds": 1.5,
        "ok": True,
    }
    get_logger().info("stored", **kept)
    line = json.loads(lines.getvalue())
    assert {name: line[name] for name in kept} == kept
    assert (line["event"], line["level"], line["service"]) == ("stored", "info", "shop")


def test_lines_below_the_level_are_not_written(lines: io.StringIO) -> None:
    get_logger().debug("noise")
    assert lines.getvalue() == ""


@pytest.mark.parametrize("library", ["httpx", "httpcore.connection", "botocore.hooks", "aiohttp.access"])
def test_what_a_library_says_of_every_request_is_not_written(lines: io.StringIO, library: str) -> None:
    logging.getLogger(library).info("HTTP Request: GET http://127.0.0.1/varz")
    assert lines.getvalue() == ""
    logging.getLogger(library).error("it broke")
    assert "it broke" in lines.getvalue()


@given(
    number=st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True), before=st.sampled_from(["", "to ", "(", '"', "to=", "["])
)
def test_no_bare_number_of_phone_length_survives(number: str, before: str) -> None:
    assert number not in clean(f"{before}{number}")
    assert number not in clean(f"{before}{number} and more")


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_cleaning_takes_any_value_and_what_it_gives_can_be_written(value: object) -> None:
    json.dumps(clean_value("anything", value))
