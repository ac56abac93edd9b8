"""How long each part of an answer to an HTTP client may take, in seconds.

The clients of the old system give up after CLIENT_LIMIT. Inside that limit the gateway answers within ANSWER_SECONDS, a
command on the bus within COMMAND_WAIT, and the worker ends its part of a command before the gateway stops waiting. An
inner budget that outlasts the outer one turns a known outcome into an unknown one: a test message that was sent would
be reported as "perhaps sent". `tests/unit/shared/test_shared_budgets.py` checks the order.
"""

from __future__ import annotations

CLIENT_LIMIT = 5.0
"""After this the clients of the old system show an error. The limit is theirs."""

ANSWER_SECONDS = CLIENT_LIMIT - 0.4
"""The gateway's answer to a request, from the request's first line on; the rest is for the network and the proxy."""

COMMAND_WAIT = ANSWER_SECONDS - 0.1
"""The gateway waits this long for a command's reply; the rest is for reading the request and rendering the answer."""

REPLY_MARGIN = 0.4
"""A worker ends a command this long before the command's deadline, so that the reply still arrives."""

SEND_SECONDS = 4.0
"""A test message waits at most this long for WhatsApp's acknowledgement."""

PROBE_SECONDS = 2.0
"""A health check waits at most this long for the page."""

CHECK_WAIT = 3.0
"""The gateway waits this long for the worker's part of a health check: probe the page, inspect the profile."""

JUDGE_WAIT = COMMAND_WAIT - CHECK_WAIT
"""The gateway asks the health service after the worker, within the same answer."""

DESIRED_STATE_WAIT = 1.0
"""One read or one write of a session's desired state."""

INITIALIZE_WAIT = 1.5
"""After an `initialize` the answer waits this long for the session to move, so that it can show the first state."""

CLEAR_WAIT = 4.0
"""After a `clear` the answer waits this long for the wipe to end."""
