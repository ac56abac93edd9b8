"""From a stream of page readings to events: how long a reading must last before it counts. Pure; the runner gives the
time.

A look at the page is a moment. A QR where a login may exist, a lost connection or silence must last before anything is
done about it, because a page shows all three while it loads. A page that shows another site is answered at once, and so
is an empty page where the site has been shown already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.contracts.sessions import Reason, State

from .events import PAGE_EVENTS, Event
from .reading import PageState
from .session import Session


@dataclass(frozen=True)
class Debounce:
    """Seconds that a reading must last before it counts."""

    offline: float = 5.0
    lost_login: float = 3.0
    silent: float = 40.0
    syncing: float = 600.0


@dataclass(frozen=True)
class PageWatch:
    """What the page shows, since when (monotonic seconds), and which event was posted last, in which state."""

    page: PageState = PageState.UNKNOWN
    since: float = 0.0
    posted: tuple[Event, State, Reason] | None = None


def look(watch: PageWatch, page: PageState, now: float) -> PageWatch:
    """The watch after one more look. The same reading keeps its beginning, and one silent reading is as another."""
    return replace(watch, page=page, since=watch.since if _same(watch.page, page) else now)


def event_of(watch: PageWatch, session: Session, now: float, debounce: Debounce) -> Event | None:
    """The event that the watch amounts to, or None while the reading has not lasted long enough."""
    lasted = now - watch.since
    if watch.page in _SILENT and not (watch.page is PageState.BLANK and session.state in _WAS_SHOWN):
        return Event.PAGE_SILENT if lasted >= debounce.silent and session.state not in _MAY_BE_SILENT else None
    if watch.page is PageState.OFFLINE and lasted < debounce.offline:
        return None
    if watch.page in (PageState.QR, PageState.IDLE) and not session.fresh and lasted < debounce.lost_login:
        return None
    if watch.page in (PageState.PAIRING, PageState.SYNCING) and lasted >= debounce.syncing:
        return Event.PAGE_SILENT
    return PAGE_EVENTS[watch.page]


def posted_once(watch: PageWatch, session: Session, event: Event) -> PageWatch | None:
    """The watch that has posted the event, or None when the event was posted last in this very state of the session: a
    page repeats itself at every look."""
    posted = (event, session.state, session.reason)
    return None if watch.posted == posted else replace(watch, posted=posted)


_SILENT = frozenset({PageState.UNKNOWN, PageState.LOADING, PageState.BLANK})
_WAS_SHOWN = frozenset({State.PAIRING, State.SYNCING, State.CONNECTED, State.CONFLICT})
"""States in which the page has shown the site: an empty page has lost it."""
_MAY_BE_SILENT = frozenset({State.STOPPED, State.RESTORING, State.RECONNECTING})


def _same(before: PageState, now: PageState) -> bool:
    return before is now or (before in _SILENT and now in _SILENT)
