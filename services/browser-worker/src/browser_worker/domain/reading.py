"""What one look at the page says, and what that means. Pure; knows nothing of Playwright.

The trap: a read that failed is *unknown*, never "logged out", and wa-js's own ready flags are true on the QR page too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PageState(StrEnum):
    """What the page shows, whichever tier told it."""

    UNKNOWN = "unknown"
    """Nothing could be read: no page, a read that failed, scripts not loaded yet."""
    LOADING = "loading"
    QR = "qr"
    IDLE = "idle"
    """The QR has expired for good until it is refreshed (UNPAIRED_IDLE)."""
    PAIRING = "pairing"
    """The phone has scanned; the link is being made."""
    SYNCING = "syncing"
    CONNECTED = "connected"
    OFFLINE = "offline"
    """Logged in, without a connection to WhatsApp's servers (OPENING, TIMEOUT, OFFLINE…)."""
    CONFLICT = "conflict"
    LOGGED_OUT = "logged_out"
    """A navigation to post_logout=1, or the page's own logout event. A QR page alone is QR, not this."""
    BANNED = "banned"
    TERMS_NOT_ACCEPTED = "terms_not_accepted"
    """TOS_BLOCK, SMB_TOS_BLOCK."""
    NETWORK_REFUSED = "network_refused"
    """PROXYBLOCK."""
    DEPRECATED = "deprecated"
    DIALOG = "dialog"
    """A modal dialog that nobody here knows: a person must look."""
    ELSEWHERE = "elsewhere"
    """The page shows another site. Nothing that it shows was read."""
    BLANK = "blank"
    """The page shows no site at all: an empty page, or the browser's own error page."""


@dataclass(frozen=True)
class RawReading:
    """The answers of one tier, as the page gave them; empty text where it had none."""

    tier: str = ""
    """wa-js, modules or dom"""
    socket: str = ""
    stream_mode: str = ""
    stream_info: str = ""
    number: str = ""
    name: str = ""
    platform: str = ""
    registered: bool | None = None
    """Whether the page believes that a login is stored; None when it cannot say."""
    qr: str = ""
    post_logout: bool = False
    chat_pane: bool = False
    progress: bool = False
    use_here: bool = False
    dialog: str = ""
    """Class of an unknown modal dialog (never its text)."""
    backend_event: str = ""
    """The newest backend event, such as account_temporarily_banned."""
    page_version: str = ""
    wa_js_ready: bool = False


@dataclass(frozen=True)
class Reading:
    """What the page shows now."""

    state: PageState
    raw: RawReading = RawReading()

    @property
    def qr(self) -> str:
        return self.raw.qr


@dataclass(frozen=True)
class SelfCheck:
    """Which of the named lookups the page answers. `read_ok`: states can be read; `send_ok`: messages can be sent."""

    read_ok: bool
    send_ok: bool
    missing: tuple[str, ...] = ()
    page_version: str = ""
    wa_js_version: str = ""


@dataclass(frozen=True)
class SendOutcome:
    """`outcome`: sent, failed, unknown; `ack` as WhatsApp counts (-1 refused, 0 clock, 1 server, 2 device, 3 read)."""

    outcome: str
    ack: int = 0
    error: str = ""
    failure: str = ""
    """A SendFailure when the outcome is failed."""


@dataclass(frozen=True)
class LocalStorageExport:
    """The localStorage of the page, written beside the profile's files.

    `sequence` grows with each export and lies in the page's own localStorage too (key `ps:sequence`). A start compares
    the two and writes the entries back only when the number in the page is lower.
    """

    origin: str
    sequence: int
    entries: dict[str, str]
