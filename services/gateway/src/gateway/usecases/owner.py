"""What a command needs before its session's owner is asked."""

from __future__ import annotations

from gateway.domain.observed import ObservedSession
from gateway.domain.request_errors import WorkerGone
from gateway.ports import View
from shared.contracts.errors import NotConnected
from shared.contracts.sessions import DesiredState


def require_some_worker(view: View, session: str) -> None:
    """Raises WorkerGone when no worker is alive at all."""
    if view.session(session).workers == 0:
        raise WorkerGone(
            "no worker is running", hint="the request is kept and carried out as soon as a browser worker starts"
        )


def require_owner(view: View, session: str) -> ObservedSession:
    """The session, which a live worker owns. Raises WorkerGone, NotConnected."""
    observed = view.session(session)
    if observed.owner is not None:
        return observed
    desired = observed.record.desired if observed.record else None
    if observed.workers and observed.status is None and desired != DesiredState.RUNNING:
        raise NotConnected("the session is not running", hint="initialize it first")
    raise owner_gone()


def require_connected(view: View, session: str) -> ObservedSession:
    """The session, which its live owner reports as connected. Raises WorkerGone, NotConnected."""
    observed = require_owner(view, session)
    if not observed.connected:
        raise NotConnected(
            f"the session is not connected to WhatsApp (state: {observed.state})",
            hint=(observed.status.detail if observed.status else "") or "initialize it and link a phone",
        )
    return observed


def owner_gone() -> WorkerGone:
    return WorkerGone(
        "the worker that owns the session does not answer",
        hint="another worker takes over within seconds; if not, see the browser worker's log",
    )
