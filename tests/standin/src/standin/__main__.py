"""`python -m standin`: run a local WhatsApp Web until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from standin.doors import VARIABLE, NoKeyError, read_key
from standin.server import Options, serve
from standin.settings import History, PageSettings

PORT_HELP = "port of the {}; 0 (default) takes a free one"


def main() -> None:
    asyncio.run(serve(_options()))


def _options() -> Options:
    parser = _parser()
    given = parser.parse_args()
    try:
        key = read_key(os.environ)
    except NoKeyError as error:
        parser.error(str(error))
    settings = PageSettings(
        version=given.wa_version,
        ref_seconds=given.ref_seconds,
        refs=given.refs,
        synced_ms=given.synced_ms,
        fillers=given.fillers,
        history=History(target_mb=given.history_mb, rate_per_s=given.history_rate),
    )
    return Options(
        state_dir=given.state_dir,
        ready_file=given.ready_file,
        port=given.port,
        control_port=given.control_port,
        tls=given.tls or given.tls_port > 0,
        tls_port=given.tls_port,
        number=given.number,
        key=key,
        settings=settings,
    )


def _parser() -> argparse.ArgumentParser:
    usual = PageSettings()
    parser = argparse.ArgumentParser(
        prog="standin",
        description="A local WhatsApp Web with a virtual phone, on loopback. Stops at SIGTERM; keeps its state. Needs "
        f"{VARIABLE} or {VARIABLE}_FILE, the key of the phone and of the control API.",
    )
    add = parser.add_argument
    add("--state-dir", type=Path, required=True, help="folder of the phone's memory, made when absent")
    add("--ready-file", type=Path, required=True, help="JSON {pid, web_url, control_url, tls_port}, written when ready")
    add("--port", type=int, default=0, help=PORT_HELP.format("page"))
    add("--control-port", type=int, default=0, help=PORT_HELP.format("control API"))
    add("--tls", action="store_true", help="serve the page over TLS too, self-signed for web.whatsapp.com")
    add("--tls-port", type=int, default=0, help=PORT_HELP.format("TLS page") + "; implies --tls")
    add("--number", default="201000000001", help="the phone's number, digits only (default: %(default)s)")
    add("--fillers", type=int, default=0, help="filler modules; the real site has about 13400 (default: %(default)s)")
    add("--history-mb", type=float, default=0, help="size of each device's history (default: %(default)s)")
    add("--history-rate", type=float, default=0, help="history records written each second (default: %(default)s)")
    add("--ref-seconds", type=float, default=usual.ref_seconds, help="life of a QR code (default: %(default)s)")
    add("--refs", type=int, default=usual.refs, help="QR codes shown before the page goes idle (default: %(default)s)")
    add("--synced-ms", type=int, default=usual.synced_ms, help="CONNECTED to `hasSynced` (default: %(default)s)")
    add("--wa-version", default=usual.version, help="Debug.VERSION of the page (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
