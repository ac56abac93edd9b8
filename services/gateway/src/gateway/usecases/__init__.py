"""What clients can do, one file for each action.

A use case takes only the ports that it needs, gets plain values and returns a typed outcome or raises a `ServiceError`.
It knows no HTTP and no JSON, so that the old clients' endpoint, the page and every later API share it. `UseCases` holds
them all, as `bootstrap.py` puts them together.
"""

from __future__ import annotations

from dataclasses import dataclass

from .back_up import BackUp
from .clear import Clear
from .follow_status import FollowStatus
from .health_check import HealthCheck
from .initialize import Initialize
from .limits import Admission
from .list_backups import ListSessionBackups
from .log_in import LogIn
from .pair_phone import PairByNumber
from .read_status import ReadStatus
from .restore import Restore
from .send_test_message import SendTestMessage


@dataclass(frozen=True)
class UseCases:
    admission: Admission
    initialize: Initialize
    clear: Clear
    health_check: HealthCheck
    send_test_message: SendTestMessage
    pair_phone: PairByNumber
    back_up: BackUp
    restore: Restore
    list_backups: ListSessionBackups
    read_status: ReadStatus
    follow_status: FollowStatus
    log_in: LogIn
