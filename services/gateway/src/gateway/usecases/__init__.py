"""What clients can do, one file for each action.

A use case takes only the ports that it needs, gets plain values and returns a typed outcome or raises a `ServiceError`.
It knows no HTTP and no JSON, so that the old clients' endpoint, the page and every later API share it. `UseCases`
makes them all from the ports.
"""

from __future__ import annotations

from gateway.domain.auth import Authenticator
from gateway.ports import DesiredStates, Logins, Messenger, View
from shared.clock import Clock

from .back_up import BackUp
from .check_login import CheckLogin
from .clear import Clear
from .end_logins import EndLogins, ListLogins
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


class UseCases:
    def __init__(
        self,
        *,
        view: View,
        messenger: Messenger,
        desired_states: DesiredStates,
        authenticator: Authenticator,
        logins: Logins,
        clock: Clock,
        default_session: str,
    ) -> None:
        self.admission = Admission(view)
        self.initialize = Initialize(view, desired_states, clock)
        self.health_check = HealthCheck(view, messenger, clock)
        self.send_test_message = SendTestMessage(view, messenger)
        self.pair_phone = PairByNumber(view, messenger)
        self.back_up = BackUp(view, messenger)
        self.restore = Restore(view, messenger)
        self.list_backups = ListSessionBackups(messenger)
        self.clear = Clear(view, desired_states, self.list_backups, clock)
        self.read_status = ReadStatus(view, default_session)
        self.follow_status = FollowStatus(view, clock)
        self.log_in = LogIn(authenticator, logins, clock)
        self.check_login = CheckLogin(logins, clock)
        self.list_logins = ListLogins(logins)
        self.end_logins = EndLogins(logins)
