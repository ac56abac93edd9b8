"""What is put into the page, and what is never put into it."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_stage import WA_JS

from browser_worker.adapters.browser.executable_version import VersionOf
from browser_worker.adapters.browser.launch_flags import arguments, environment, user_agent
from browser_worker.adapters.browser.page_scripts import BadBundle, read_bundle


def test_the_pinned_bundle_is_accepted() -> None:
    assert "WPP" in read_bundle(WA_JS)


def test_a_bundle_with_one_byte_changed_is_refused_with_what_to_do(tmp_path: Path) -> None:
    data = bytearray(WA_JS.read_bytes())
    data[1000] ^= 1
    changed = tmp_path / "wa.js"
    changed.write_bytes(data)
    with pytest.raises(BadBundle, match="npm ci"):
        read_bundle(changed)


def test_a_missing_bundle_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="WA_JS_PATH"):
        read_bundle(tmp_path / "nothing.js")


async def test_the_version_is_asked_again_after_an_update(tmp_path: Path) -> None:
    program = tmp_path / "browser"
    program.write_text("#!/bin/sh\necho Chromium 155.0.1.2\n")
    program.chmod(0o700)
    version = VersionOf(program)
    assert await version.ask(timeout=10) == "155.0.1.2"
    program.write_text("#!/bin/sh\necho Chromium 156.0.8078.79 built\n")
    assert await version.ask(timeout=10) == "156.0.8078.79"


def test_no_flag_weakens_the_browser() -> None:
    flags = " ".join(arguments("156.0.8078.79"))
    for weak in ("--disable-web-security", "--ignore-certificate-errors", "--no-sandbox", "--disable-site-isolation"):
        assert weak not in flags


def test_no_name_is_resolved_by_the_browser_itself() -> None:
    rules = [flag for flag in arguments("156.0.1.2") if "resolver" in flag]
    assert rules == ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


def test_the_user_agent_is_that_of_a_desktop_browser() -> None:
    assert "Headless" not in user_agent("156.0.8078.79")
    assert "Chrome/156.0.0.0" in user_agent("156.0.8078.79")


def test_the_browser_sees_no_key_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_NKEY_SEED", "SU-secret")
    assert "SU-secret" not in environment().values()
