"""The actions that a client may ask for, by the names that the old clients and the page send."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    INITIALIZE = "initialize"
    CLEAR = "clear"
    HEALTH_CHECK = "health-check"
    SEND_TEST_MESSAGE = "send-test-message"
    PAIR_PHONE = "pair-phone"
    BACK_UP = "backup"
    RESTORE = "restore"
    LIST_BACKUPS = "backups"
