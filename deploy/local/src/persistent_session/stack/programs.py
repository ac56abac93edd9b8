"""Finds the programs and files of other projects: nats-server, weed, a Chromium, wa-js."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from persistent_session.errors import CliError
from persistent_session.stack.plan import Programs
from shared.browsers import NoBrowser, browser_of

SET_UP = "run `make up` again: it installs what is missing"
WA_JS = Path("node_modules/@wppconnect/wa-js/dist/wppconnect-wa.js")


def find_programs(environ: Mapping[str, str]) -> Programs:
    """Everything that a system needs. Raises CliError that names the first missing program."""
    return Programs(
        nats_server=_needed_program("nats-server"),
        weed=_needed_program("weed"),
        browser=_browser(environ),
        wa_js=environ.get("WA_JS_PATH") or _wa_js(),
    )


def find_program(name: str) -> str:
    """A program of our own Python environment, else a program on PATH; "" when neither has it."""
    beside = Path(sys.prefix) / "bin" / name
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(name) or ""


def _needed_program(name: str) -> str:
    found = find_program(name)
    if not found:
        raise CliError(f"{name} is not installed", hint=SET_UP)
    return found


def _browser(environ: Mapping[str, str]) -> str:
    try:
        return str(browser_of(environ))
    except NoBrowser as missing:
        raise CliError(str(missing), hint=SET_UP) from missing


def project_root() -> Path | None:
    """The checkout that this package is installed from."""
    return next((place for place in Path(__file__).resolve().parents if (place / "package-lock.json").is_file()), None)


def find_wa_js() -> str:
    """The wa-js bundle that the set-up installs; "" when it is absent."""
    places = [place for place in (project_root(), Path.cwd()) if place]
    return next((str(place / WA_JS) for place in places if (place / WA_JS).is_file()), "")


def _wa_js() -> str:
    found = find_wa_js()
    if not found:
        raise CliError("wa-js is not installed", hint=f"{SET_UP}, or set WA_JS_PATH")
    return found
