"""The scripts that run inside the page, put together from the files in `page/`, and the pinned wa-js bundle.

Playwright promises no order among several init scripts, so guard, configuration, bundle and hooks are one script.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path

from browser_worker.domain.reading import LocalStorageExport

WA_JS_VERSION = "4.6.0"
WA_JS_SHA256 = "5bfb88027f14a4d8c9e319374e8bb4083201906881cf8c74f75789b32e4106bd"
SEQUENCE_KEY = "ps:sequence"
WAKE_BINDING = "__psWake"
WRITE_BACK_PUSH = "write-back:"
"""Begins the push that says what became of the write-back."""
WPP_CONFIG = {"disableGoogleAnalytics": True, "linkPreviewApiServers": [], "poweredBy": "-"}


class BadBundle(Exception):
    """The wa-js bundle is missing or is another than the pinned one, which alone may enter a logged-in page."""


def read_bundle(path: Path) -> str:
    """The pinned wa-js bundle. Raises BadBundle."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadBundle(
            f"the wa-js bundle cannot be read at {path} ({error.strerror}): run `npm ci`, or set WA_JS_PATH"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != WA_JS_SHA256:
        raise BadBundle(
            f"{path} is not wa-js {WA_JS_VERSION}: its SHA-256 is {found[:12]}…, expected {WA_JS_SHA256[:12]}…; "
            "run `npm ci` again"
        )
    return data.decode()


def init_script(origin: str, bundle: str) -> str:
    """Guard, configuration, bundle and hooks. The script runs at each load, in the top frame of `origin` alone."""
    return "\n".join(
        [
            f"if ({_guard(origin)}) {{",
            f"window.WPPConfig = {json.dumps(WPP_CONFIG)};",
            bundle,
            "(() => {",
            _source("lookups"),
            _source("hooks"),
            "})();",
            "}",
        ]
    )


def write_back_script(export: LocalStorageExport) -> str:
    """Writes the export back where the localStorage of the page is older. Remove the script after its first run."""
    given = {"key": SEQUENCE_KEY, "push": WRITE_BACK_PUSH, "sequence": export.sequence, "entries": export.entries}
    return f"if ({_guard(export.origin)}) {{ ((exported) => {{\n{_source('write_back')}\n}})({json.dumps(given)}); }}"


@cache
def call(name: str) -> str:
    """A function of `options`, made of `page/<name>.js`, for `page.evaluate`. It looks where it runs in the same
    breath: on the page of `options.site` it answers {site, answer}, anywhere else it does nothing and answers
    {elsewhere}."""
    script = "\n".join([_source("lookups"), _source("dialogs"), _source(name)])
    return f"async (options) => {{\n{_source('on_site')}\nreturn onSite(options.site, () => {{\n{script}\n}});\n}}"


def _guard(origin: str) -> str:
    """As page/on_site.js decides."""
    here = f"location.origin === {json.dumps(origin)} && location.protocol !== 'blob:'"
    return f"window.top === window && {here}"


@cache
def _source(name: str) -> str:
    return files(__package__).joinpath("page", f"{name}.js").read_text(encoding="utf-8")
