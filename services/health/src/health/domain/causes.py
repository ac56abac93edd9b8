"""Why WhatsApp or another program stands in the way of a session, by the reason that its worker gives.

Only a person can remove such a cause, so nothing that starts the session again is recommended while one stands.
"""

from __future__ import annotations

from enum import StrEnum

from shared.contracts.sessions import Reason


class Cause(StrEnum):
    BANNED = "banned"
    TERMS = "terms"
    """WhatsApp waits until the account accepts its terms of service."""
    NETWORK = "network"
    """WhatsApp refuses the network that the worker's traffic comes from."""
    PAGE_OUTDATED = "page_outdated"
    DIALOG = "dialog"
    PROFILE_IN_USE = "profile_in_use"
    BROWSER_OUTDATED = "browser_outdated"
    CLEAR_UNKNOWN = "clear_unknown"
    """Whether the session was cleared is unknown, because its tombstone does not verify."""


def cause_of(reason: Reason) -> Cause | None:
    """The cause that a reason names. mypy refuses a reason that has no row here."""
    match reason:
        case Reason.BANNED:
            return Cause.BANNED
        case Reason.TERMS_NOT_ACCEPTED:
            return Cause.TERMS
        case Reason.NETWORK_REFUSED:
            return Cause.NETWORK
        case Reason.PAGE_OUTDATED:
            return Cause.PAGE_OUTDATED
        case Reason.UNKNOWN_DIALOG:
            return Cause.DIALOG
        case Reason.PROFILE_IN_USE:
            return Cause.PROFILE_IN_USE
        case Reason.BROWSER_TOO_OLD:
            return Cause.BROWSER_OUTDATED
        case Reason.TOMBSTONE_UNVERIFIED:
            return Cause.CLEAR_UNKNOWN
        case (
            Reason.NOT_STARTED | Reason.FINDING_PROFILE | Reason.PROFILE_UNREADABLE | Reason.NO_PROFILE
            | Reason.PROFILE_DAMAGED | Reason.OWNED_ELSEWHERE | Reason.LOGIN_LOST | Reason.RESTORE_REQUESTED
            | Reason.STORE_UNREACHABLE | Reason.RESTORE_FAILED | Reason.RESTORED | Reason.NOTHING_TO_RESTORE
            | Reason.KEPT_PROFILE | Reason.LOGIN_GONE | Reason.LAUNCHING | Reason.SCAN_THE_QR
            | Reason.WAITING_FOR_NETWORK | Reason.LINKING | Reason.SYNCING | Reason.SEALING | Reason.SEALED
            | Reason.CONNECTED | Reason.OFFLINE | Reason.BROWSER_GONE | Reason.BROWSER_HANGS | Reason.LAUNCH_FAILED
            | Reason.PAGE_SILENT | Reason.PAGE_ELSEWHERE | Reason.CANNOT_RECONNECT | Reason.OPEN_ELSEWHERE
            | Reason.TAKING_OVER | Reason.UNLINKED_BY_PHONE | Reason.REINITIALIZING | Reason.STOPPED | Reason.CLEARED
            | Reason.LEASE_LOST
            | Reason.UNKNOWN
        ):  # fmt: skip
            return None
