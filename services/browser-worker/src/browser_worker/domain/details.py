"""What each reason of the machine means, in a sentence for people. No secrets, no numbers."""

DETAILS: dict[str, str] = {
    "finding_profile": "Looking for the session's profile.",
    "no_profile": "There is no profile here; looking for a save or a backup.",
    "profile_damaged": "The profile is damaged; putting the newest good copy in its place.",
    "profile_unreadable": "The profile's folder cannot be read or written. Free the disk or mend its permissions; "
    "it is tried again by itself.",
    "owned_elsewhere": "Another worker ran this session since; fetching its newest backup.",
    "login_lost": "The profile shows no login; putting the newest good copy in its place.",
    "login_gone": "Several good copies were tried and none is logged in any more: the phone must have unlinked this "
    "device. Press Initialize to link it again.",
    "restore_failed": "A copy could not be put in place on this machine, perhaps for want of disk space. "
    "It is tried again.",
    "kept_profile": "No copy could be put in place; the present profile is kept.",
    "browser_too_old": "The copies were made by a newer browser. Update the browser, then press Initialize.",
    "store_unreachable": "There is no local copy and the backup store cannot be asked. Waiting for it: no QR is shown, "
    "because a backup may exist.",
    "nothing_to_restore": "No copy of this session exists anywhere; starting afresh.",
    "restored": "A copy was restored; starting the browser on it.",
    "launching": "Starting the browser.",
    "scan_the_qr": "Scan the QR with the phone: WhatsApp → Linked devices → Link a device.",
    "waiting_for_network": "The page has no connection to WhatsApp yet.",
    "linking": "The phone has scanned; the link is being made.",
    "syncing": "WhatsApp is loading the account.",
    "sealing": "Linked. Writing the login safely to disk before anything else.",
    "sealed": "Linked and saved; connecting.",
    "connected": "Connected.",
    "offline": "The page has lost its connection to WhatsApp; waiting, then trying again.",
    "browser_gone": "The browser has ended unexpectedly; starting it again.",
    "browser_hangs": "The browser does not answer; starting it again.",
    "launch_failed": "The browser could not be started; trying again.",
    "page_silent": "The page does not say what it shows; loading it again.",
    "cannot_reconnect": "All quick attempts failed. Nothing was deleted; slow attempts go on for ever.",
    "open_elsewhere": "WhatsApp Web is open elsewhere with this login.",
    "taking_over": "Taking the session back from the other window.",
    "unlinked_by_phone": "The phone has unlinked this device. Press Initialize to link it again.",
    "banned": "WhatsApp has banned this account for now. Nothing is tried, so that it does not get worse.",
    "blocked": "WhatsApp refuses this connection (terms of service or proxy). A person must look.",
    "page_outdated": "WhatsApp refuses this version of the page; loading it again slowly.",
    "unknown_dialog": "The page shows a dialog that nobody here knows. A person must look.",
    "profile_in_use": "Another program is running a browser on this profile. Stop it first: the old and the new system "
    "must never run on one session together.",
    "restore_requested": "Restorer the backup that was asked for.",
    "reinitializing": "Starting again.",
    "stopped": "Stopped; the session is kept.",
    "cleared": "Cleared: the device is unlinked and the local data is gone.",
    "lease_lost": "Another worker owns this session now.",
}
