"""The browser asks nobody but the site: everything that its network stack did is on record."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser_stage import BrowserStage, egress, link, send_ready

from browser_worker.adapters.browser.confinement import Confinement
from browser_worker.adapters.browser.egress_proxy import dial

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("engine", ["headless-shell", "chromium"])
async def test_nothing_but_the_site_is_asked(stage: BrowserStage, engine: str) -> None:
    record = stage.folder / "network.json"
    flags = [f"--log-net-log={record}", "--net-log-capture-mode=Everything"]
    async with stage.launched(engine=engine, extra_args=flags) as browser:
        await link(browser, stage.phone)
        await send_ready(browser)
        message_id = await browser.new_message_id("201234567890")
        text = "see https://example.com/private and https://another.example/x"
        assert (await browser.send_text("201234567890", text, message_id, timeout=10)).outcome == "sent"
        await asyncio.sleep(2)
        await browser.close(timeout=5)
    site = {str(urlsplit(stage.standin.web_url).hostname)}
    assert _reached(record) == site
    if engine == "headless-shell":
        assert _wanted(record) == site


async def test_the_hosts_of_analytics_are_not_even_asked_for(stage: BrowserStage) -> None:
    stage.phone.set_faults(hostile=True)
    asked: list[str] = []

    async def asked_for(host: str, port: int, allowed: Callable[[str], bool]) -> Any:
        asked.append(host)
        return await dial(host, port, allowed)

    confinement = Confinement(egress(stage.standin.web_url, report_only=True), dial=asked_for)
    async with stage.launched(confinement=confinement) as browser:
        assert browser._page is not None
        page = browser._page.page
        for host in ("www.google-analytics.com", "wajsapi.titanchat.com.br"):
            failed = asyncio.ensure_future(page.wait_for_event("requestfailed"))
            await asyncio.sleep(0)
            await page.evaluate("(url) => fetch(url).catch(() => 0)", f"https://{host}/collect")
            assert (await failed).failure == "net::ERR_SOCKS_CONNECTION_FAILED"
    assert set(asked) == {urlsplit(stage.standin.web_url).hostname}


async def test_every_folder_made_for_the_profile_is_for_its_owner_alone(stage: BrowserStage) -> None:
    there = stage.folder / "there"
    there.mkdir()
    there.chmod(0o755)
    stage.profile = there / "sessions" / "profile"
    async with stage.launched():
        modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (there, stage.profile.parent, stage.profile)]
    assert modes == [0o755, 0o700, 0o700]


def _events(record: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    log = json.loads(record.read_text())
    kinds = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    for event in log["events"]:
        yield kinds[event["type"]], event.get("params") or {}


def _wanted(record: Path) -> set[str]:
    """The host of every request, including the requests that a rule of the command line ended at once."""
    urls = [str(given["url"]) for kind, given in _events(record) if kind == "URL_REQUEST_START_JOB" and "url" in given]
    return {str(urlsplit(url).hostname) for url in urls if url.startswith(("http", "ws"))}


def _reached(record: Path) -> set[str]:
    """Every name that was resolved and every address that was connected to. Chromium's search for an IPv6 route does
    not count, because connecting a UDP socket sends nothing."""
    names = [given.get("host") for kind, given in _events(record) if kind.startswith("HOST_RESOLVER_MANAGER")]
    addresses = [
        address
        for kind, given in _events(record)
        if kind in ("TCP_CONNECT", "TCP_CONNECT_ATTEMPT")
        for address in [given.get("address"), *given.get("address_list", ())]
    ]
    assert addresses, "the record holds no connection at all"
    return {re.sub(r"^\w+://|:\d+$", "", str(place)) for place in [*names, *addresses] if place} - {"~notfound"}
