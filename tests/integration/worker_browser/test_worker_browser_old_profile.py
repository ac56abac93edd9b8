"""The import from the old system: a profile that whatsapp-web.js has written is used where it lies, without a QR."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_stage import WA_JS, egress
from old_client import OldClient

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.adapters.browser.confinement import Confinement
from browser_worker.adapters.browser.driver import Driver
from browser_worker.adapters.browser.egress_proxy import dial
from browser_worker.adapters.browser.watchdog import Watchdog
from browser_worker.adapters.profile.store import DiskProfileStore
from browser_worker.domain.reading import PageState
from shared.browsers import find_browser
from shared.clock import SystemClock
from shared.contracts.errors import Conflict
from shared.testing import eventually
from standin.process import StandInProcess

pytestmark = pytest.mark.browser


def any_(_address: str) -> bool:
    return True


async def test_a_session_of_the_old_system_goes_on_in_the_new_one_without_a_qr(tmp_path: Path) -> None:
    sessions, saves = tmp_path / "sessions", tmp_path / "saves"
    with StandInProcess(tmp_path / "standin", "--tls") as standin:
        port = standin.ready.tls_port or 0
        old = await OldClient.start(port, sessions, find_browser("chromium"))
        standin.phone.scan(text=(await old.event("qr"))["value"])
        await old.event("ready")
        (sessions / "session-shop").symlink_to(sessions / "session")
        store = DiskProfileStore(sessions, saves, "shop", SystemClock())
        with pytest.raises(Conflict):
            async with store.lock():
                raise AssertionError("the old system is still running on it")
        await old.ask("stop")
        await old.end()
        (sessions / "session-shop").unlink()
        (sessions / "session").rename(sessions / "session-shop")

        driver, watchdog = Driver(), Watchdog(limit=30.0, clock=SystemClock())
        browser = ChromiumBrowser(
            url="https://web.whatsapp.com",
            executable=None,
            wa_js=WA_JS,
            driver=driver,
            watchdog=watchdog,
            clock=SystemClock(),
            confinement=Confinement(egress("https://web.whatsapp.com"), dial=lambda *_: dial("127.0.0.1", port, any_)),
            extra_args=["--ignore-certificate-errors"],
        )
        async with store.lock():
            assert await store.import_old_profile()
            assert len(await store.saves()) == 1
            await browser.launch(store.profile, await store.local_storage_export())
            try:
                states = []

                async def connected() -> bool:
                    states.append((await browser.read()).state)
                    return states[-1] is PageState.CONNECTED

                await eventually(connected, timeout=20)
                assert PageState.QR not in states
            finally:
                await browser.close(timeout=5)
                await driver.stop()
                await watchdog.stop()
        device = standin.phone.device()
        assert (device.state, device.max_simultaneous) == ("linked", 1)
