"""What each reason means, in a sentence for people. The sentences hold no secrets and no phone numbers."""

from __future__ import annotations

from shared.contracts.sessions import Reason

DETAILS: dict[Reason, str] = {
    Reason.NOT_STARTED: "Nothing was done with this session yet.",
    Reason.FINDING_PROFILE: "Looking for the session's profile.",
    Reason.NO_PROFILE: "There is no profile here. Looking for a save or a backup.",
    Reason.PROFILE_DAMAGED: "The profile is damaged. The newest good copy replaces it.",
    Reason.PROFILE_UNREADABLE: "The profile's folder cannot be read or written. Free space on the disk or correct the "
    "folder's permissions; the worker tries again until it succeeds.",
    Reason.PROFILE_IN_USE: "Another program runs a browser on this profile. Stop that program first: the old and the "
    "new system must never run on one session together.",
    Reason.OWNED_ELSEWHERE: "Another worker has run this session since. Fetching its newest backup.",
    Reason.LOGIN_LOST: "The profile shows no login. The newest good copy replaces it.",
    Reason.LOGIN_GONE: "Several good copies were tried, and none is logged in any more: the phone must have unlinked "
    "this device. Press Initialize to link it again.",
    Reason.RESTORE_REQUESTED: "Restoring the requested backup.",
    Reason.RESTORE_FAILED: "A copy could not be put in place on this machine, perhaps because the disk is full. "
    "The worker tries again.",
    Reason.RESTORED: "A copy was restored. Starting the browser on it.",
    Reason.KEPT_PROFILE: "No copy could be put in place. The present profile stays in use.",
    Reason.NOTHING_TO_RESTORE: "No copy of this session exists anywhere. Starting without a login.",
    Reason.STORE_UNREACHABLE: "There is no local copy, and the backup store cannot be reached. Waiting for the store: "
    "no QR is shown, because a backup may exist.",
    Reason.TOMBSTONE_UNVERIFIED: "The record of a clear in the backup store does not verify, so it is unknown whether "
    "this session was cleared. No QR is shown, and nothing is restored. If it was not cleared, restore a backup from "
    "the list; if it was, clear it again.",
    Reason.BROWSER_TOO_OLD: "A newer browser made the copies. Update the browser, then press Initialize.",
    Reason.LAUNCHING: "Starting the browser.",
    Reason.SCAN_THE_QR: "Scan the QR with the phone: WhatsApp → Linked devices → Link a device.",
    Reason.WAITING_FOR_NETWORK: "The page has no connection to WhatsApp yet.",
    Reason.LINKING: "The phone has scanned the code. WhatsApp makes the link.",
    Reason.SYNCING: "WhatsApp is loading the account.",
    Reason.SEALING: "Linked. Writing the login safely to disk before anything else.",
    Reason.SEALED: "Linked and saved. Connecting.",
    Reason.CONNECTED: "Connected.",
    Reason.OFFLINE: "The page has lost its connection to WhatsApp. Waiting, then trying again.",
    Reason.BROWSER_GONE: "The browser ended unexpectedly. Starting it again.",
    Reason.BROWSER_HANGS: "The browser does not answer. Starting it again.",
    Reason.LAUNCH_FAILED: "The browser could not be started. Trying again.",
    Reason.PAGE_SILENT: "Nothing can be read from the page. Loading it again.",
    Reason.PAGE_ELSEWHERE: "The page left WhatsApp Web. Nothing of what it showed instead was read or shown. Loading "
    "WhatsApp Web again.",
    Reason.CANNOT_RECONNECT: "All quick attempts failed. Nothing was deleted, and slow attempts go on without end.",
    Reason.OPEN_ELSEWHERE: "WhatsApp Web is open elsewhere with this login.",
    Reason.TAKING_OVER: "Taking the session back from the other window.",
    Reason.UNLINKED_BY_PHONE: "The phone has unlinked this device. Press Initialize to link it again.",
    Reason.BANNED: "WhatsApp has banned this account for now. Nothing is tried, so that the ban does not get longer.",
    Reason.TERMS_NOT_ACCEPTED: "WhatsApp waits until its terms of service are accepted. Open WhatsApp on the phone and "
    "accept them, then press Initialize.",
    Reason.NETWORK_REFUSED: "WhatsApp refuses connections from this server's network or proxy. Change the network, "
    "then press Initialize.",
    Reason.PAGE_OUTDATED: "WhatsApp refuses this version of the page. Loading it again slowly.",
    Reason.UNKNOWN_DIALOG: "The page shows a dialog that this version does not know. A person must look at it.",
    Reason.REINITIALIZING: "Starting again.",
    Reason.STOPPED: "Stopped. The session is kept.",
    Reason.CLEARED: "Cleared: the device is unlinked, and the local data is gone.",
    Reason.LEASE_LOST: "Another worker owns this session now.",
}
