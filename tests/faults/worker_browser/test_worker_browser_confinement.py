"""The page that is not WhatsApp: it goes elsewhere, opens tabs, copies the site, reaches for the machine's network.

Each attack runs as code of the site, in a page without a policy of its own.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from browser_stage import BrowserStage, browser_stage, egress, send_ready, shows

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.adapters.browser.confinement import Confinement
from browser_worker.adapters.browser.egress_proxy import EgressProxy, dial
from browser_worker.adapters.browser.page_driver import PageDriver
from browser_worker.adapters.browser.refusals import Refusals
from browser_worker.domain.egress import Refusal
from browser_worker.domain.reading import PageState
from browser_worker.ports import PageElsewhere
from shared.contracts.commands import SendFailure
from shared.testing import eventually

NUMBER = "201234567890"
ENGINES = ["headless-shell", "chromium"]
QR_PAGE = "<div data-ref='1@fake,a,b,c,d'><canvas></canvas></div>"


class Listener:
    """A server of the machine that counts whoever speaks to it, over TCP and UDP on one port."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self.port}"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.heard.append("tcp")
            with suppress(OSError, asyncio.IncompleteReadError):
                await reader.read(200)
                body = QR_PAGE.encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
            writer.close()

        self._server = await asyncio.start_server(hear, "127.0.0.1", 0)
        heard = self.heard

        class Udp(asyncio.DatagramProtocol):
            def datagram_received(self, _data: bytes, _address: Any) -> None:
                heard.append("udp")

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Udp, local_addr=("127.0.0.1", self.port))
        try:
            yield self
        finally:
            transport.close()
            self._server.close()


@asynccontextmanager
async def hostile(
    stage: BrowserStage, engine: str = "headless-shell", **options: Any
) -> AsyncIterator[ChromiumBrowser]:
    """A linked session whose page obeys the attacker."""
    stage.phone.set_faults(hostile=True)
    async with stage.linked(engine=engine, **options) as browser:
        yield browser


async def run(browser: ChromiumBrowser, script: str, argument: Any = None) -> Any:
    assert browser._page is not None
    return await browser._page.page.evaluate(script, argument)


def refused(browser: ChromiumBrowser) -> tuple[str, ...]:
    return browser._confinement.refusals.hosts


AWAY_WITHOUT_A_REQUEST = {
    "about:blank": "() => { location.href = 'about:blank' }",
    "blob": "(qr) => { location.href = URL.createObjectURL(new Blob([qr], { type: 'text/html' })) }",
}


@pytest.mark.browser
@pytest.mark.parametrize("how", sorted(AWAY_WITHOUT_A_REQUEST))
async def test_a_page_that_is_elsewhere_is_noticed_by_event_and_never_read(stage: BrowserStage, how: str) -> None:
    async with hostile(stage) as browser:
        await send_ready(browser)
        message_id = await browser.new_message_id(NUMBER)
        woken = asyncio.Event()
        browser.on_wake(woken.set)
        woken.clear()
        await run(browser, AWAY_WITHOUT_A_REQUEST[how], QR_PAGE)
        await asyncio.wait_for(woken.wait(), 20)
        reading = await shows(browser, PageState.ELSEWHERE, PageState.BLANK)
        assert (reading.qr, reading.raw.number) == ("", "")
        outcome = await browser.send_text(NUMBER, "hello", message_id, timeout=5)
        assert (outcome.outcome, outcome.failure) == ("failed", SendFailure.PAGE_ELSEWHERE)
        for attempt in (browser.export_local_storage, browser.self_check, browser.refresh_qr):
            with pytest.raises(PageElsewhere):
                await attempt()
        await browser.reload()
        await shows(browser, PageState.CONNECTED)
        assert stage.phone.messages() == []
        assert stage.phone.device().max_simultaneous == 1


AWAY_OVER_THE_NETWORK = {
    "location": "(url) => { location.href = url }",
    "form": """(url) => {
        const form = Object.assign(document.createElement('form'), { action: url, method: 'post' });
        document.body.append(form); form.submit() }""",
    "refresh": """(url) => { document.head.insertAdjacentHTML('beforeend',
        `<meta http-equiv="refresh" content="0;url=${url}">`) }""",
    "link": """(url) => { const a = Object.assign(document.createElement('a'), { href: url });
        document.body.append(a); a.click() }""",
    "frame": """(url) => { const frame = document.createElement('iframe');
        frame.srcdoc = `<script>top.location.href = ${JSON.stringify(url)}</script>`; document.body.append(frame) }""",
}


@pytest.mark.browser
async def test_a_navigation_off_the_site_ends_before_its_request_and_the_session_stays(stage: BrowserStage) -> None:
    async with Listener().listening() as other, hostile(stage) as browser:
        for name, script in AWAY_OVER_THE_NETWORK.items():
            before = browser._confinement.refusals.total
            await run(browser, script, f"http://{other.at}/{name}")
            await eventually(
                lambda before=before: browser._confinement.refusals.total > before, timeout=20, message=name
            )
            assert (await shows(browser, PageState.CONNECTED)).raw.number
        assert other.heard == []
        assert refused(browser) == ("127.0.0.1",)


@pytest.mark.browser
async def test_a_site_that_leads_away_at_once_is_elsewhere_and_not_silent(tmp_path: Path) -> None:
    async def lead_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(lead_away, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with browser_stage(tmp_path) as stage:
        async with server, stage.launched(url=url) as browser:
            await shows(browser, PageState.ELSEWHERE)
            assert refused(browser) == ("evil.example",)


@pytest.mark.browser
async def test_a_copy_of_the_site_at_another_origin_is_never_read(stage: BrowserStage) -> None:
    """The driver is asked on a page that no guard has kept at home."""
    async with Listener().listening() as copy, stage.launched(confinement=open_for("127.0.0.1", stage)) as browser:
        await shows(browser, PageState.QR)
        page = await browser._running().new_page()
        foreign = PageDriver(page, browser._site, timeout=10)
        for url in (f"http://{copy.at}/", f"http://localhost:{copy.port}/", f"data:text/html,{QR_PAGE}"):
            await page.goto(url)
            assert (await foreign.read(0)).state is PageState.ELSEWHERE
        await page.goto("about:blank")
        assert (await foreign.read(0)).state is PageState.BLANK


@pytest.mark.browser
async def test_a_hostile_page_cannot_forge_where_it_is(stage: BrowserStage) -> None:
    async with Listener().listening() as copy, stage.launched(confinement=open_for("127.0.0.1", stage)) as browser:
        await shows(browser, PageState.QR)
        page = await browser._running().new_page()
        await page.goto(f"http://{copy.at}/")
        forged = {"site": browser._site.origin, "answer": [{"tier": "dom", "qr": "1@fake"}]}

        async def evaluate(*_: Any) -> Any:
            return forged

        page.evaluate = evaluate  # type: ignore[method-assign]
        reading = await PageDriver(page, browser._site, timeout=10).read(0)
        assert (reading.state, reading.qr) == (PageState.ELSEWHERE, "")


def open_for(_host: str, stage: BrowserStage) -> Confinement:
    """A confinement whose proxy connects anywhere and that lets strange tabs be, so that a test may open a copy."""

    class Open(Confinement):
        def enter(self, context: Any) -> None:
            super().enter(context)
            assert self._tabs is not None
            self._tabs._opening += 1

    return Open(
        egress(stage.standin.web_url, report_only=True), dial=lambda host, port, _: dial(host, port, lambda _a: True)
    )


TABS = {
    "window.open": "(url) => { window.open(url) }",
    "noopener": "(url) => { window.open(url, '_blank', 'noopener') }",
    "blank": "(url) => { window.open('about:blank') }",
    "target": """(url) => { const a = Object.assign(document.createElement('a'), { href: url, target: '_blank' });
        document.body.append(a); a.click() }""",
    "many": "(url) => { for (let i = 0; i < 5; i += 1) window.open(url, `tab${i}`) }",
}


@pytest.mark.browser
@pytest.mark.parametrize("engine", ENGINES)
async def test_a_second_tab_of_the_site_is_closed_and_is_no_conflict(stage: BrowserStage, engine: str) -> None:
    async with hostile(stage, engine) as browser:
        for script in TABS.values():
            await run(browser, script, stage.standin.web_url)
            await eventually(lambda: len(browser._running().pages) == 1, timeout=20)
        assert (await shows(browser, PageState.CONNECTED)).raw.number
        await browser.reopen_page()
        await shows(browser, PageState.CONNECTED)
        assert len(browser._running().pages) == 1
        assert stage.phone.device().max_simultaneous == 1


REACHES = {
    "fetch": "(at) => fetch(`http://${at}/`, { mode: 'no-cors' })",
    "xhr": """(at) => new Promise((done, fail) => { const x = new XMLHttpRequest();
        x.open('GET', `http://${at}/`); x.onload = done; x.onerror = fail; x.send() })""",
    "websocket": """(at) => new Promise((done, fail) => { const s = new WebSocket(`ws://${at}/`);
        s.onopen = done; s.onerror = fail })""",
    "image": """(at) => new Promise((done, fail) => { const i = new Image(); i.onload = done; i.onerror = fail;
        i.src = `http://${at}/x.png` })""",
    "style": """(at) => new Promise((done, fail) => { const l = document.createElement('link'); l.rel = 'stylesheet';
        l.onload = done; l.onerror = fail; l.href = `http://${at}/x.css`; document.head.append(l) })""",
    "beacon": "(at) => { navigator.sendBeacon(`http://${at}/`, 'x'); throw new Error('sent into the dark') }",
    "hints": """(at) => { for (const rel of ['preconnect', 'dns-prefetch', 'prefetch', 'preload', 'prerender'])
        document.head.append(
            Object.assign(document.createElement('link'), { rel, href: `http://${at}/`, as: 'fetch' }));
        throw new Error('hinted') }""",
    "worker": """(at) => new Promise((done, fail) => { const code = `fetch('http://${at}/', { mode: 'no-cors' })
        .then(() => postMessage(1), () => postMessage(0))`;
        new Worker(URL.createObjectURL(new Blob([code]))).onmessage = (e) => e.data ? done() : fail(new Error()) })""",
    "frame": """(at) => { const f = Object.assign(document.createElement('iframe'), { src: `http://${at}/` });
        document.body.append(f);
        throw new Error('framed') }""",
    "download": """(at) => { const a = document.createElement('a'); a.href = `http://${at}/x`; a.download = 'x';
        document.body.append(a); a.click(); throw new Error('clicked') }""",
    "webrtc": """(at) => new Promise(async (done, fail) => { const c = new RTCPeerConnection({ iceServers: [
        { urls: `stun:${at}` }, { urls: `turn:${at}?transport=tcp`, username: 'a', credential: 'b' },
        { urls: `turn:${at}?transport=udp`, username: 'a', credential: 'b' }] });
        c.createDataChannel('x'); c.onicecandidate = (e) => e.candidate ? done() : fail(new Error());
        await c.setLocalDescription(await c.createOffer()); setTimeout(() => fail(new Error()), 2000) })""",
}
SPELLINGS: list[Callable[[int], str]] = [
    lambda port: f"127.0.0.1:{port}",
    lambda port: f"localhost:{port}",
    lambda port: f"2130706433:{port}",
    lambda port: f"127.1:{port}",
    lambda port: f"[::ffff:127.0.0.1]:{port}",
    lambda port: f"0.0.0.0:{port}",
    lambda port: f"{socket.gethostname()}:{port}",
]


@pytest.mark.browser
@pytest.mark.parametrize("engine", ENGINES)
async def test_nothing_that_the_page_can_do_reaches_the_machine(stage: BrowserStage, engine: str) -> None:
    async with Listener().listening() as target, hostile(stage, engine) as browser:
        for name, script in REACHES.items():
            with pytest.raises(Exception, match=r"."):
                await run(browser, f"async (at) => {{ await ({script})(at) }}", target.at)
            assert target.heard == [], name
        for spelled in SPELLINGS:
            with pytest.raises(Exception, match="fetch"):
                await run(browser, REACHES["fetch"], spelled(target.port))
        for address in ("169.254.169.254", "10.0.0.1", "[fd00:ec2::254]"):
            with pytest.raises(Exception, match="fetch"):
                await run(browser, REACHES["fetch"], address)
        await asyncio.sleep(0.5)
        assert target.heard == []
        await shows(browser, PageState.CONNECTED)
        assert "127.0.0.1" in refused(browser)
        assert (await browser.measure()).refused > 0


@pytest.mark.browser
async def test_in_report_mode_other_hosts_are_named_and_the_machine_stays_closed(stage: BrowserStage) -> None:
    counted: list[Refusal] = []
    wanted: list[str] = []

    async def record(host: str, port: int, allowed: Callable[[str], bool]) -> socket.socket | None:
        wanted.append(host)
        return await dial(host, port, allowed)

    confinement = Confinement(egress(stage.standin.web_url, report_only=True), counted.append, record)
    async with Listener().listening() as target, hostile(stage, confinement=confinement) as browser:
        for at in (target.at, f"localhost:{target.port}"):
            with pytest.raises(Exception, match="fetch"):
                await run(browser, REACHES["fetch"], at)
        assert target.heard == []
        assert {"127.0.0.1", "localhost"} <= set(wanted)
        assert counted[:2] == [Refusal.REPORTED, Refusal.ADDRESS]
        assert set(refused(browser)) == {"127.0.0.1", "localhost"}


@pytest.mark.browser
async def test_a_push_from_a_frame_or_with_garbage_is_no_push(stage: BrowserStage) -> None:
    async with hostile(stage) as browser:
        await run(
            browser,
            """async () => {
                const frame = document.createElement('iframe');
                frame.srcdoc = '<p>frame</p>'; frame.sandbox = 'allow-scripts';
                document.body.append(frame);
                for (const what of [undefined, null, 1, {}, [], 'x'.repeat(1e6), { toString: null }])
                  await window.__psWake(what).catch(() => 0);
            }""",
        )
        frame = browser._running().pages[0].frames[-1]
        assert frame.parent_frame is not None
        await frame.wait_for_load_state()
        before = browser._confinement.refusals.total
        await frame.evaluate("() => window.__psWake('logout')")
        assert browser._confinement.refusals.total == before + 1
        assert not browser._logged_out
        await shows(browser, PageState.CONNECTED)


async def spoken_to(port: int, *messages: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for message in messages:
            writer.write(message)
            await writer.drain()
        with suppress(OSError):
            return await asyncio.wait_for(reader.read(), 30)
        return b""
    finally:
        writer.close()


def connect_request(host: bytes, port: int) -> bytes:
    return b"\x05\x01\x00\x03" + bytes([len(host)]) + host + port.to_bytes(2, "big")


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT web.whatsapp.com:443 HTTP/1.1\r\n\r\n",
        b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
        b"\x05\x01\x02",
        b"\x05\x00",
    ],
    ids=["http", "connect", "socks4", "with a password", "no method"],
)
async def test_the_proxy_answers_nothing_but_its_protocol(garbage: bytes) -> None:
    proxy = EgressProxy(egress("https://web.whatsapp.com"), Refusals())
    await proxy.start()
    try:
        assert await spoken_to(proxy.port, garbage) == b""
    finally:
        proxy.close()


@pytest.mark.parametrize(
    "host", [b"127.0.0.1", b"localhost", b"web.whatsapp.com.evil.example", b"\xff\xfe", b"a" * 255]
)
async def test_the_proxy_connects_to_nothing_else(host: bytes) -> None:
    counted: list[Refusal] = []
    async with Listener().listening() as target:
        proxy = EgressProxy(egress("https://web.whatsapp.com"), Refusals(counted.append))
        await proxy.start()
        try:
            answer = await spoken_to(proxy.port, b"\x05\x01\x00", connect_request(host, target.port))
            assert answer[:4] == b"\x05\x00\x05\x01"
            assert target.heard == []
            assert counted == [Refusal.HOST]
        finally:
            proxy.close()


async def test_a_name_of_the_list_that_a_dns_answer_turns_inwards_is_refused() -> None:
    """DNS rebinding: the answer is what is checked, and the checked address is what is connected to."""
    counted: list[Refusal] = []
    async with Listener().listening() as target:

        async def rebound(_host: str, _port: int, allowed: Callable[[str], bool]) -> socket.socket | None:
            return await dial("127.0.0.1", target.port, allowed)

        proxy = EgressProxy(egress("http://site.example"), Refusals(counted.append), rebound)
        await proxy.start()
        try:
            answer = await spoken_to(proxy.port, b"\x05\x01\x00", connect_request(b"mmg.whatsapp.net", 443))
            assert answer[:4] == b"\x05\x00\x05\x01"
            assert target.heard == []
            assert counted == [Refusal.ADDRESS]
        finally:
            proxy.close()


async def test_another_user_of_the_machine_gets_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("browser_worker.adapters.browser.egress_proxy.os.geteuid", lambda: 12345)
    proxy = EgressProxy(egress("https://web.whatsapp.com"), Refusals())
    await proxy.start()
    try:
        assert await spoken_to(proxy.port, b"\x05\x01\x00") == b""
    finally:
        proxy.close()
